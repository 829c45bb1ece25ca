import { expect } from 'chai'
import { NOTHING } from '../../../lib/http/cache-control.ts'
import type { Fields } from '../../../lib/http/fields.ts'
import { CDN_TARGET, governingPolicy, isForUs, OWN_TARGET } from '../../../lib/http/targeted.ts'

const TARGETS = ['X-Cache-Control', 'CDN-Cache-Control']

function policy(...fields: Fields) {
  return governingPolicy(fields, TARGETS)
}

function targeted(value: string) {
  return policy(['x-cache-control', value], ['Cache-Control', 'max-age=5'])
}

describe('governingPolicy', () => {
  it('is Cache-Control, all lines joined, without a targeted field (DP-2)', () => {
    expect(policy(['Cache-Control', 'max-age=1'], ['cache-control', 'public'])).to.deep.equal({
      source: 'cache-control',
      directives: { ...NOTHING, maxAge: 1, public: true },
      targeted: false,
    })
    expect(policy()).to.deep.equal({ source: 'cache-control', directives: NOTHING, targeted: false })
  })

  it('is the first valid targeted field, which hides Cache-Control with its refusals (DP-1, TGT-3)', () => {
    expect(
      policy(['Cache-Control', 'no-store'], ['CDN-Cache-Control', 'max-age=9'], ['X-Cache-Control', 'max-age=600']),
    ).to.deep.equal({
      source: 'x-cache-control',
      directives: { ...NOTHING, maxAge: 600 },
      targeted: true,
    })
    expect(policy(['Cache-Control', 'no-store'], ['X-Cache-Control', 'none']).directives).to.deep.equal(NOTHING)
  })

  it('does not take a field off the list for targeted (TGT-1, TGT-10)', () => {
    expect(policy(['Other-Cache-Control', 'no-store'], ['Cache-Control', 'max-age=1']).directives.noStore).to.equal(
      false,
    )
  })

  for (const value of [
    '',
    'Max-Age=60',
    'max-age = 60',
    'max-age= 60',
    'max-age=60;Foo',
    '&',
    'max-age=60,',
    'max-age=',
    'a="x',
    'a="\u00e9"',
    'max-age=9999999999999999',
    'no-store no-cache',
    'max-age=60, ,a',
  ]) {
    it(`ignores the whole of an invalid field: ${value} (TGT-4)`, () => {
      expect(targeted(value)).to.deep.include({ source: 'cache-control', targeted: false })
    })
  }

  it('goes on to the next target when one is invalid (TGT-2)', () => {
    expect(policy(['X-Cache-Control', '&'], ['CDN-Cache-Control', 'max-age=9']).source).to.equal('cdn-cache-control')
  })

  for (const value of [
    'max-age="60"',
    'max-age=60.0',
    'max-age=?1',
    'max-age',
    'max-age=?0',
    'max-age=-5',
    'max-age=(60)',
    'max-age=@60',
  ]) {
    it(`takes a lifetime of the wrong type for stale: ${value} (TGT-7)`, () => {
      expect(targeted(value)).to.deep.include({
        source: 'x-cache-control',
        directives: { ...NOTHING, maxAge: 0, invalidFreshness: true },
      })
    })
  }

  it('honours what restricts whatever its type, but for ?0 (TGT-7)', () => {
    expect(targeted('no-store=1, private=x, no-cache=(a)').directives).to.deep.equal({
      ...NOTHING,
      noStore: true,
      private: true,
      noCache: true,
    })
    expect(targeted('no-store=?0, private=?0, a').directives).to.deep.equal(NOTHING)
    expect(targeted('public=1, stale-if-error="1", stale-while-revalidate=1.5').directives).to.deep.equal(NOTHING)
  })

  it('reads field lists from strings and the last of duplicates; parameters mean nothing (TGT-5, TGT-8, TGT-9)', () => {
    expect(targeted('no-cache="Set-Cookie, X", private="Y";a=1, max-age=1;b, max-age=2').directives).to.deep.equal({
      ...NOTHING,
      noCacheFields: ['set-cookie', 'x'],
      privateFields: ['y'],
      maxAge: 2,
    })
    expect(targeted('max-age=1.5, max-age=2').directives.invalidFreshness).to.equal(false)
    expect(targeted('a="max-age=1.5", max-age=2').directives.maxAge).to.equal(2)
  })

  it('clamps large numbers', () => {
    expect(targeted('max-age=99999999999').directives.maxAge).to.equal(2147483648)
  })
})

describe('isForUs', () => {
  it('keeps from clients every targeted field that is obeyed, but the one of delivery networks (TGT-12)', () => {
    expect([OWN_TARGET, 'x-cache-control', CDN_TARGET].map(isForUs)).to.deep.equal([true, true, false])
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import { type CacheControl, NOTHING, parseCacheControl, parseDeltaSeconds } from '../../../lib/http/cache-control.ts'

const says = (value: string, expected: Partial<CacheControl>) =>
  expect(parseCacheControl(value), value).to.deep.equal({ ...NOTHING, ...expected })

describe('parseCacheControl', () => {
  it('says nothing for an absent, empty or unknown value (FRE-17)', () => {
    expect(parseCacheControl(undefined)).to.equal(NOTHING)
    says('', {})
    says('foo, bar=1, baz="x", ,', {})
  })

  it('reads every directive, without case (PAR-4, PAR-6)', () => {
    says(', ,No-Store,,private , PUBLIC,\tmust-revalidate', {
      noStore: true,
      private: true,
      public: true,
      mustRevalidate: true,
    })
    says('no-cache, proxy-revalidate, must-understand, immutable, no-transform, only-if-cached', {
      noCache: true,
      proxyRevalidate: true,
      mustUnderstand: true,
      immutable: true,
      noTransform: true,
      onlyIfCached: true,
    })
    says('max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, min-fresh=5, max-stale=6', {
      maxAge: 1,
      sMaxage: 2,
      staleWhileRevalidate: 3,
      staleIfError: 4,
      minFresh: 5,
      maxStale: 6,
    })
  })

  it('does not look into quoted strings (PAR-5)', () => {
    says('ext="max-age=3600, no-store", max-age=1', { maxAge: 1 })
    says('ext="a\\", no-store", max-age=1', { maxAge: 1 })
  })

  it('accepts token and quoted form of arguments (PAR-7)', () => {
    says('max-age="60"', { maxAge: 60 })
    says('max-age="\\60"', { maxAge: 60 })
    says('no-cache=Set-Cookie', { noCacheFields: ['set-cookie'] })
    says('no-cache="Set-Cookie, X-A", private="X-B"', { noCacheFields: ['set-cookie', 'x-a'], privateFields: ['x-b'] })
  })

  for (const value of [
    'max-age =60',
    'max-age= 60',
    "max-age='60'",
    'max-age=60s',
    'max-age=-1',
    'max-age=1.5',
    'max-age=',
    'max-age',
    'max-age=60 60',
    'max-age=60;x',
    'max-age=" 60"',
    'max-age=""',
    'max-age="60"x',
    'max-age=+60',
    'max-age=0x10',
  ]) {
    it(`takes ${value} for an invalid lifetime (PAR-8)`, () => {
      says(value, { maxAge: 0, invalidFreshness: true })
    })
  }

  it('saturates large numbers and accepts leading zeros (PAR-9)', () => {
    says('max-age=003600', { maxAge: 3600 })
    says('max-age=2147483649', { maxAge: 2147483648 })
    says(`max-age=${'9'.repeat(400)}`, { maxAge: 2147483648 })
  })

  it('honours what restricts with any argument and what permits only in its proper form (PAR-10, CCR-7, CCR-12)', () => {
    says('no-store=1, must-revalidate="x", proxy-revalidate=, no-store x', {
      noStore: true,
      mustRevalidate: true,
      proxyRevalidate: true,
    })
    says('public=1, must-understand=1, stale-while-revalidate=x, stale-if-error, min-fresh=-1, max-stale=x', {})
    says('immutable=1', { immutable: true })
  })

  it('takes empty or unreadable field lists for the whole response (CCR-4, CCR-9)', () => {
    says('private="", no-cache=""', { private: true, noCache: true })
    says('private="a b", no-cache=', { private: true, noCache: true })
    says('private, private="a"', { private: true, privateFields: ['a'] })
  })

  it('uses equal duplicates and takes different ones for stale (FRE-7)', () => {
    says('max-age=60, max-age=60', { maxAge: 60 })
    says('max-age=60, max-age=10', { maxAge: 0, invalidFreshness: true })
    says('max-age=x, max-age=10', { maxAge: 0, invalidFreshness: true })
    says('s-maxage=60, s-maxage=10, max-age=5', { sMaxage: 0, maxAge: 5, invalidFreshness: true })
    says('stale-if-error=60, stale-if-error=10, min-fresh=1, min-fresh=2', { staleIfError: 10, minFresh: 2 })
  })

  it('knows max-stale without an argument', () => {
    says('max-stale', { maxStale: Number.POSITIVE_INFINITY })
    says('max-stale, max-stale=5', { maxStale: 5 })
    says('max-stale=5, max-stale', { maxStale: 5 })
  })

  it('is broken by an unterminated quote, and still honours a refusal behind it (PAR-10)', () => {
    expect(parseCacheControl('max-age=60, ext="abc').broken).to.equal(true)
    expect(parseCacheControl('ext="abc, no-store')).to.include({ broken: true, noStore: true })
    expect(parseCacheControl('foo"bar, max-age=60').broken).to.equal(true)
    expect(parseCacheControl('ext="a\\').broken).to.equal(true)
  })

  it('never throws and never loses a plain no-store', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=",\\ 1;') }), (noise) => {
        expect(parseCacheControl(`no-store, ${noise}`).noStore).to.equal(true)
      }),
    )
  })

  it('takes linear time (PAR-13)', () => {
    for (const unit of ['="', '"', 'a="\\",', ',', 'max-age=1,', '\\"']) parseCacheControl(unit.repeat(100_000))
  }).timeout(2000)
})

describe('parseDeltaSeconds', () => {
  it('reads digits only', () => {
    expect(parseDeltaSeconds('010')).to.equal(10)
    for (const text of ['', ' 1', '1 ', '-1', '1e3', '\u0661'])
      expect(parseDeltaSeconds(text), text).to.equal(undefined)
  })
})

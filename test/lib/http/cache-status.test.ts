import { expect } from 'chai'
import fc from 'fast-check'
import { parseList, Token } from 'structured-headers'
import { formatCacheStatus, hitCacheStatus, xCache } from '../../../lib/http/cache-status.ts'
import type { Outcome } from '../../../lib/outcome.ts'

function parsed(text: string): Record<string, unknown> {
  const [member, ...others] = parseList(text)
  expect(others).to.deep.equal([])
  expect(String(member?.[0])).to.equal('cachewell')
  return Object.fromEntries(
    [...(member?.[1] ?? [])].map(([name, value]) => [name, value instanceof Token ? `${value}` : value]),
  )
}

describe('formatCacheStatus', () => {
  const cases: [Outcome, string][] = [
    [{ hit: true, ttl: 376 }, 'cachewell; hit; ttl=376'],
    [
      { hit: true, ttl: -12, detail: 'stale-while-revalidate' },
      'cachewell; hit; ttl=-12; detail=stale-while-revalidate',
    ],
    [{ hit: false, forward: 'uri-miss', stored: true }, 'cachewell; fwd=uri-miss; stored'],
    [{ hit: false, forward: 'uri-miss', stored: true, ttl: 60 }, 'cachewell; fwd=uri-miss; ttl=60; stored'],
    [{ hit: false, forward: 'uri-miss', stored: false }, 'cachewell; fwd=uri-miss; stored=?0'],
    [{ hit: false, forward: 'uri-miss', collapsed: true }, 'cachewell; fwd=uri-miss; collapsed'],
    [{ hit: false, forward: 'uri-miss', collapsed: false }, 'cachewell; fwd=uri-miss; collapsed=?0'],
    [
      { hit: false, forward: 'stale', forwardStatus: 503, ttl: -40, detail: 'stale-if-error' },
      'cachewell; fwd=stale; fwd-status=503; ttl=-40; detail=stale-if-error',
    ],
    [{ hit: false, forward: 'bypass', detail: 'two words' }, 'cachewell; fwd=bypass; detail="two words"'],
  ]
  for (const [outcome, text] of cases) {
    it(`writes ${text}`, () => {
      expect(formatCacheStatus(outcome)).to.equal(text)
    })
  }

  it('puts hit and fwd never together (CST-4, CST-8)', () => {
    const outcome: Outcome = { hit: true, forward: 'stale', stored: true, collapsed: true, forwardStatus: 304 }
    expect(formatCacheStatus(outcome)).to.equal('cachewell; hit')
  })

  it('adds the key as a string, and leaves it out when it cannot be written (CST-10)', () => {
    expect(formatCacheStatus({ hit: true, ttl: 1 }, 'R 1 "a\\b"')).to.equal(
      'cachewell; hit; ttl=1; key="R 1 \\"a\\\\b\\""',
    )
    expect(formatCacheStatus({ hit: true, ttl: 1 }, 'caf\u00e9')).to.equal('cachewell; hit; ttl=1')
    expect(formatCacheStatus({ hit: true, ttl: 1 }, 'a\r\nb')).to.equal('cachewell; hit; ttl=1')
  })

  it('writes a structured field that says what the outcome says (CST-1)', () => {
    const outcomes = fc.record(
      {
        hit: fc.constant(false),
        forward: fc.constantFrom('bypass', 'method', 'uri-miss', 'vary-miss', 'miss', 'request', 'stale', 'partial'),
        forwardStatus: fc.integer({ min: 200, max: 599 }),
        ttl: fc.integer(),
        stored: fc.boolean(),
        collapsed: fc.boolean(),
        detail: fc.string({ minLength: 1 }),
      },
      { requiredKeys: ['hit', 'forward'] },
    )
    fc.assert(
      fc.property(outcomes, fc.string(), (outcome, key) => {
        const members = parsed(formatCacheStatus(outcome as Outcome, key))
        expect(members['fwd']).to.equal(outcome.forward)
        expect(members['fwd-status']).to.equal(outcome.forwardStatus)
        expect(members['ttl']).to.equal(outcome.ttl)
        expect(members['stored']).to.equal(outcome.stored)
        expect(members['collapsed']).to.equal(outcome.collapsed)
        expect(members['key']).to.equal(key)
        expect(members['detail']).to.equal(outcome.detail)
      }),
    )
  })
})

describe('hitCacheStatus', () => {
  it('writes what formatCacheStatus writes for a hit', () => {
    for (const ttl of [376, 0, -3]) expect(hitCacheStatus(ttl)).to.equal(formatCacheStatus({ hit: true, ttl }))
    expect(hitCacheStatus(1.9)).to.equal('cachewell; hit; ttl=1')
  })
})

describe('xCache', () => {
  it('has one word for each outcome', () => {
    expect(xCache({ hit: true, ttl: 5 })).to.equal('HIT')
    expect(xCache({ hit: true, ttl: -5, detail: 'stale-while-revalidate' })).to.equal('STALE')
    expect(xCache({ hit: false, forward: 'stale', forwardStatus: 503, detail: 'stale-if-error' })).to.equal('STALE')
    expect(xCache({ hit: false, forward: 'stale', forwardStatus: 304 })).to.equal('REVALIDATED')
    expect(xCache({ hit: false, forward: 'uri-miss', collapsed: true })).to.equal('MISS')
    expect(xCache({ hit: false, forward: 'bypass' })).to.equal('BYPASS')
    expect(xCache({ hit: false, forward: 'method' })).to.equal('BYPASS')
  })
})

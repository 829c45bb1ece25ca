import { expect } from 'chai'
import type { Entry } from '../../../lib/entry.ts'
import { parseCacheControl } from '../../../lib/http/cache-control.ts'
import { currentAge, judgeReuse, type Reuse } from '../../../lib/http/reuse.ts'
import { type ResponseParts, type StoredResponse, storedResponse } from '../../../lib/http/stored-response.ts'
import { responseParts } from '../../support/entries.ts'

const STORED_AT = 1_700_000_000_000
const LIFETIME = 60_000

function entry(parts: Partial<ResponseParts> = {}): Entry<StoredResponse> {
  const value = storedResponse(responseParts(parts))
  const staleAt = STORED_AT + LIFETIME
  const [key, name] = ['R 1 app G http://a.test/', '/']
  const coherence = { incarnation: '0123456789abcdef', seq: 0, fence: 0 }
  return {
    kind: 'response',
    key,
    name,
    cachedAt: STORED_AT,
    staleAt,
    deleteAt: staleAt,
    tags: [],
    size: 1,
    value,
    ...coherence,
  }
}

interface Request {
  readonly cacheControl?: string
  readonly credentialed?: boolean
}

/** The verdict so many seconds after storing, for a request like this. */
function after(seconds: number, parts: Partial<ResponseParts> = {}, request: Request = {}): Reuse {
  const { cacheControl, credentialed = false } = request
  const directives = cacheControl === undefined ? undefined : parseCacheControl(cacheControl)
  return judgeReuse(entry(parts), { credentialed, directives, now: STORED_AT + seconds * 1_000 })
}

const SERVE: Reuse = { kind: 'serve', detail: undefined, rule: 'DR-15' }
const VALIDATE: Reuse = { kind: 'validate', forward: 'stale', rule: 'DR-19' }
const SWR = { staleWhileRevalidate: 30_000 }

describe('judgeReuse', () => {
  it('serves what is fresh; equal is stale (DR-15, DR-19)', () => {
    expect(after(59.999)).to.deep.equal(SERVE)
    expect(after(60)).to.deep.equal(VALIDATE)
  })

  it('serves what is stale within its window, and not at its end (DR-18)', () => {
    expect(after(60, SWR)).to.deep.equal({ kind: 'serve-stale', detail: 'swr', rule: 'DR-18' })
    expect(after(89.999, SWR).kind).to.equal('serve-stale')
    expect(after(90, SWR)).to.deep.equal(VALIDATE)
  })

  it('keeps what was made for the anonymous from those with credentials (DR-8)', () => {
    const refusal: Reuse = { kind: 'refuse', forward: 'bypass', rule: 'DR-8' }
    expect(after(0, { audience: 'anonymous' }, { credentialed: true })).to.deep.equal(refusal)
    expect(after(0, { audience: 'anonymous', alwaysValidate: true }, { credentialed: true })).to.deep.equal(refusal)
    expect(after(0, { audience: 'anonymous' })).to.deep.equal(SERVE)
    expect(after(0, { audience: 'everyone' }, { credentialed: true })).to.deep.equal(SERVE)
  })

  it('never reuses unvalidated what must always be validated (DR-11)', () => {
    const verdict: Reuse = { kind: 'validate', forward: 'stale', rule: 'DR-11' }
    expect(after(0, { alwaysValidate: true })).to.deep.equal(verdict)
    expect(after(65, { alwaysValidate: true, ...SWR }, { cacheControl: 'max-stale' })).to.deep.equal(verdict)
  })

  it('validates what is stale and says must-revalidate, whatever would permit it (DR-16)', () => {
    const verdict: Reuse = { kind: 'validate', forward: 'stale', rule: 'DR-16' }
    expect(after(59, { mustRevalidate: true })).to.deep.equal(SERVE)
    expect(after(60, { mustRevalidate: true })).to.deep.equal(verdict)
    expect(after(60, { mustRevalidate: true, ...SWR }, { cacheControl: 'max-stale' })).to.deep.equal(verdict)
  })

  const table: readonly (readonly [rule: string, directive: string, seconds: number, verdict: string])[] = [
    ['DR-12', 'no-cache', 0, 'validate request'],
    ['DR-12', 'no-cache', 70, 'validate request'],
    ['DR-13', 'max-age=0', 0, 'validate request'],
    ['DR-15', 'max-age=10', 10, 'serve'],
    ['DR-13', 'max-age=10', 11, 'validate request'],
    ['DR-13', 'max-age=60', 65, 'validate stale'],
    ['DR-13', 'max-age=60, max-stale', 65, 'validate stale'],
    ['DR-15', 'min-fresh=20', 40, 'serve'],
    ['DR-14', 'min-fresh=20', 41, 'validate request'],
    ['DR-14', 'min-fresh=0', 65, 'validate stale'],
    ['DR-17', 'max-stale', 1_000, 'serve max-stale'],
    ['DR-17', 'max-stale=5', 65, 'serve max-stale'],
    ['DR-18', 'max-stale=5', 66, 'serve-stale swr'],
    // STA-8: who names an age gets nothing stale.
    ['DR-19', 'max-age=1000', 65, 'validate stale'],
    // Of responses, not of requests (CCQ-10).
    ['DR-15', 'immutable, s-maxage=0, must-revalidate', 10, 'serve'],
  ]
  for (const [rule, directive, seconds, expected] of table) {
    it(`answers ${directive} after ${seconds} s with ${expected} (${rule})`, () => {
      const verdict = after(seconds, SWR, { cacheControl: directive })
      const why = 'forward' in verdict ? verdict.forward : verdict.detail
      expect([verdict.kind, why].filter((word) => word !== undefined).join(' ')).to.equal(expected)
      expect(verdict.rule).to.equal(rule)
    })
  }

  it('does not validate for a reload what is immutable and fresh, unless no-cache asks for it (CCR-12)', () => {
    expect(after(10, { immutable: true }, { cacheControl: 'max-age=0' })).to.deep.equal(SERVE)
    expect(after(10, { immutable: true }, { cacheControl: 'no-cache' }).rule).to.equal('DR-12')
    expect(after(60, { immutable: true }, { cacheControl: 'max-age=0' }).rule).to.equal('DR-13')
  })

  it('does not trust an age by a clock that was set back (REU-9)', () => {
    expect(after(-1)).to.deep.equal(SERVE)
    expect(after(-3_600)).to.deep.equal(VALIDATE)
  })
})

describe('currentAge', () => {
  it('counts from the age on arrival and never backwards', () => {
    expect(currentAge(entry({ initialAge: 5_000 }), STORED_AT + 2_000)).to.equal(7_000)
    expect(currentAge(entry({ initialAge: 5_000 }), STORED_AT - 2_000)).to.equal(5_000)
  })
})

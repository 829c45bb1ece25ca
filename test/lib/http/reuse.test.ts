import { expect } from 'chai'
import type { Entry } from '../../../lib/entry.ts'
import { parseCacheControl } from '../../../lib/http/cache-control.ts'
import { currentAge, judgeReuse, type Reuse } from '../../../lib/http/reuse.ts'
import { type ResponseParts, type StoredResponse, storedResponse } from '../../../lib/http/stored-response.ts'

const STORED_AT = 1_700_000_000_000
const LIFETIME = 60_000

function entry(parts: Partial<ResponseParts> = {}): Entry<StoredResponse> {
  const value = storedResponse({
    status: 200,
    reason: undefined,
    fields: [],
    body: Buffer.alloc(0),
    initialAge: 0,
    vary: [],
    audience: 'everyone',
    withheld: [],
    alwaysValidate: false,
    staleWhileRevalidate: 0,
    staleIfError: 0,
    ...parts,
  })
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

/** The verdict so many seconds after storing, for a request with this `Cache-Control`. */
function after(
  seconds: number,
  parts: Partial<ResponseParts> = {},
  cacheControl?: string,
  credentialed = false,
): Reuse {
  const directives = cacheControl === undefined ? undefined : parseCacheControl(cacheControl)
  return judgeReuse(entry(parts), { credentialed, directives, now: STORED_AT + seconds * 1_000 })
}

describe('judgeReuse', () => {
  it('serves what is fresh; equal is stale (DR-15)', () => {
    expect(after(59.999)).to.equal('serve')
    expect(after(60)).to.equal('stale')
  })

  it('serves what is stale within its window, and not at its end (DR-18)', () => {
    expect(after(60, { staleWhileRevalidate: 30_000 })).to.equal('serve-stale')
    expect(after(90, { staleWhileRevalidate: 30_000 })).to.equal('stale')
  })

  it('keeps what was made for the anonymous from those with credentials (DR-8)', () => {
    expect(after(0, { audience: 'anonymous' }, undefined, true)).to.equal('refuse')
    expect(after(0, { audience: 'anonymous' })).to.equal('serve')
    expect(after(0, { audience: 'everyone' }, undefined, true)).to.equal('serve')
  })

  it('never reuses what must always be validated (DR-11)', () => {
    expect(after(0, { alwaysValidate: true })).to.equal('stale')
  })

  const table: readonly (readonly [rule: string, directive: string, seconds: number, verdict: Reuse])[] = [
    ['DR-12', 'no-cache', 0, 'request'],
    ['DR-12', 'no-cache', 70, 'stale'],
    ['DR-13', 'max-age=0', 0, 'request'],
    ['DR-13', 'max-age=10', 10, 'serve'],
    ['DR-13', 'max-age=10', 11, 'request'],
    ['DR-14', 'min-fresh=20', 40, 'serve'],
    ['DR-14', 'min-fresh=20', 41, 'request'],
    ['DR-17', 'max-stale', 100, 'serve-stale'],
    ['DR-17', 'max-stale=5', 65, 'serve-stale'],
    ['STA-8', 'max-age=1000', 65, 'stale'],
    ['STA-8', 'min-fresh=0', 65, 'stale'],
  ]
  for (const [rule, directive, seconds, verdict] of table) {
    it(`answers ${directive} after ${seconds} s with ${verdict} (${rule})`, () => {
      expect(after(seconds, { staleWhileRevalidate: 30_000 }, directive)).to.equal(verdict)
    })
  }

  it('does not let max-stale override a response that forbids it (CCQ-3)', () => {
    expect(after(61, { staleWhileRevalidate: 0 }, 'max-stale')).to.equal('stale')
  })
})

describe('currentAge', () => {
  it('counts from the age on arrival and never backwards', () => {
    expect(currentAge(entry({ initialAge: 5_000 }), STORED_AT + 2_000)).to.equal(7_000)
    expect(currentAge(entry({ initialAge: 5_000 }), STORED_AT - 2_000)).to.equal(5_000)
  })
})

import { expect } from 'chai'
import fc from 'fast-check'
import type { Entry } from '../../lib/entry.ts'
import {
  type Judged,
  type LedgerChange,
  MAX_BANS,
  MAX_SOFT_TIMES,
  MAX_TAG_RECORDS,
  type SoftTime,
  TagLedger,
  withSoftTime,
} from '../../lib/tags.ts'

const token = { incarnation: 'a'.repeat(16), seq: 0, nonce: '00000000' }

function change(part: Partial<LedgerChange>): LedgerChange {
  return { tags: [], patterns: [], all: false, ...part }
}

/** An entry whose fill starts now. */
function filledNow(ledger: TagLedger, part: Partial<Judged> = {}): Judged {
  const { incarnation, seq } = ledger.token
  return { kind: 'response', name: '/posts/1', tags: ['t:post:1'], incarnation, seq, ...part }
}

/** The same, fresh until 1,000 and of use until 3,000. */
function entryNow(ledger: TagLedger, part: Partial<Entry> = {}): Entry {
  const times = { cachedAt: 0, staleAt: 1_000, deleteAt: 3_000 }
  return { ...filledNow(ledger), ...times, key: 'k', fence: 0, size: 1, value: '', kind: 'response', ...part }
}

describe('TagLedger', () => {
  let ledger: TagLedger
  beforeEach(() => {
    ledger = new TagLedger(token)
  })

  it('starts in a life of its own', () => {
    expect(new TagLedger().token.incarnation)
      .to.match(/^[0-9a-f]{16}$/)
      .and.not.equal(new TagLedger().token.incarnation)
  })

  it('finds an entry right until one of its tags is invalidated', () => {
    const entry = filledNow(ledger)
    ledger.invalidate(change({ tags: ['t:post:2'] }))
    expect(ledger.judge(entry)).to.equal('valid')
    ledger.invalidate(change({ tags: ['t:post:1', 't:x'] }))
    expect(ledger.judge(entry)).to.equal('invalid')
    expect(ledger.judge(filledNow(ledger))).to.equal('valid')
  })

  it('compares tags exactly', () => {
    const entry = filledNow(ledger)
    ledger.invalidate(change({ tags: ['t:POST:1', 'post:1', 't:post:'] }))
    expect(ledger.judge(entry)).to.equal('valid')
  })

  it('matches a pattern that starts with / against responses only', () => {
    const page = filledNow(ledger)
    const value = filledNow(ledger, { kind: 'value', name: '/posts/1' })
    ledger.invalidate(change({ patterns: ['/posts/*'] }))
    expect([ledger.judge(page), ledger.judge(value)]).to.deep.equal(['invalid', 'valid'])
  })

  it('matches any other pattern against service keys only', () => {
    const page = filledNow(ledger, { name: 'user:1' })
    const value = filledNow(ledger, { kind: 'value', name: 'user:1' })
    ledger.invalidate(change({ patterns: ['user:*'] }))
    expect([ledger.judge(page), ledger.judge(value)]).to.deep.equal(['valid', 'invalid'])
  })

  it('starts a new life when everything is invalidated', () => {
    const entry = filledNow(ledger, { tags: [] })
    ledger.invalidate(change({ all: true }))
    expect(ledger.judge(entry)).to.equal('invalid')
    expect(ledger.token.incarnation).to.not.equal(token.incarnation)
    expect(ledger.judge(filledNow(ledger))).to.equal('valid')
  })

  it('changes its stamp with every change', () => {
    const stamps = new Set([ledger.stamp])
    ledger.invalidate(change({ tags: ['t:a'] }))
    stamps.add(ledger.stamp)
    const release = ledger.hold(change({ tags: ['t:b'] }))
    stamps.add(ledger.stamp)
    release()
    ledger.reset(token)
    stamps.add(ledger.stamp)
    expect(stamps.size).to.equal(4)
  })

  it('is not certain of what began before somebody got no answer, and judges as before', () => {
    const stamp = ledger.stamp
    expect(ledger.isCertainSince(0)).to.equal(true)
    ledger.doubt(10)
    expect([9, 10, 11].map((at) => ledger.isCertainSince(at))).to.deep.equal([false, true, true])
    expect(ledger.stamp).to.equal(stamp)
    expect(ledger.judge(filledNow(ledger))).to.equal('valid')
  })

  context('as a mirror', () => {
    it('does not know entries from before it began, nor from after', () => {
      ledger.reset({ ...token, seq: 10 })
      const at = (seq: number) => ledger.judge(filledNow(ledger, { seq }))
      expect([at(9), at(10), at(11)]).to.deep.equal(['unknown', 'valid', 'unknown'])
    })

    it('takes over what was invalidated elsewhere', () => {
      const entry = filledNow(ledger)
      ledger.advance({ ...token, seq: 3, nonce: '1' }, [{ tag: 't:post:1', seq: 2 }], [], 0)
      expect(ledger.judge(entry)).to.equal('invalid')
      expect(ledger.judge({ ...entry, seq: 2 })).to.equal('valid')
      expect(ledger.token).to.deep.equal({ ...token, seq: 3, nonce: '1' })
    })

    it('takes over patterns', () => {
      const entry = filledNow(ledger)
      ledger.advance({ ...token, seq: 1 }, [], [{ pattern: '/posts/?', seq: 1 }], 0)
      expect(ledger.judge(entry)).to.equal('invalid')
    })

    it('finds everything below the floor wrong', () => {
      ledger.advance({ ...token, seq: 9 }, [], [], 5)
      const at = (seq: number) => ledger.judge(filledNow(ledger, { seq }))
      expect([at(4), at(5)]).to.deep.equal(['invalid', 'valid'])
    })

    it('finds entries of another life wrong', () => {
      expect(ledger.judge(filledNow(ledger, { incarnation: 'b'.repeat(16) }))).to.equal('invalid')
    })
  })

  context('while an invalidation is not confirmed', () => {
    for (const held of [change({ tags: ['t:post:1'] }), change({ patterns: ['/posts/*'] }), change({ all: true })]) {
      it(`finds wrong what it names, fills of this moment included: ${JSON.stringify(held)}`, () => {
        const release = ledger.hold(held)
        expect(ledger.judge(filledNow(ledger))).to.equal('invalid')
        release()
        expect(ledger.judge(filledNow(ledger))).to.equal('valid')
      })
    }

    it('leaves other entries alone', () => {
      ledger.hold(change({ tags: ['t:post:2'], patterns: ['user:*'] }))
      expect(ledger.judge(filledNow(ledger))).to.equal('valid')
    })
  })

  context('after a soft invalidation', () => {
    const soft = (part: Partial<LedgerChange>): LedgerChange => change({ ...part, soft: true })

    for (const named of [{ tags: ['t:post:1'] }, { patterns: ['/posts/*'] }, { all: true }]) {
      it(`finds stale since then what it names, and right: ${JSON.stringify(named)}`, () => {
        const entry = entryNow(ledger)
        const stamp = ledger.stamp
        ledger.invalidate(soft(named), 400)
        expect(ledger.stamp).to.not.equal(stamp)
        expect(ledger.judge(entry)).to.equal('valid')
        expect(ledger.soften(entry)).to.deep.equal({ ...entry, staleAt: 400, deleteAt: 2_400 })
        const later = entryNow(ledger)
        expect(ledger.soften(later)).to.equal(later)
      })
    }

    it('leaves alone what it does not name, what is stale already, and indexes', () => {
      const other = entryNow(ledger, { tags: ['t:other'], name: '/other' })
      const stale = entryNow(ledger, { staleAt: 300 })
      const index = entryNow(ledger, { kind: 'variants' })
      ledger.invalidate(soft({ tags: ['t:post:1'], patterns: ['/posts/*'] }), 400)
      for (const entry of [other, stale, index]) expect(ledger.soften(entry)).to.equal(entry)
    })

    it('counts from the first time that an entry was named', () => {
      const entries = [0, 1, 2].map((_, index) => {
        const entry = entryNow(ledger)
        ledger.invalidate(soft({ tags: ['t:post:1'] }), 100 * (index + 1))
        return entry
      })
      ledger.invalidate(soft({ patterns: ['*'] }), 900)
      expect(entries.map((entry) => ledger.soften(entry).staleAt)).to.deep.equal([100, 200, 300])
    })

    it('is overruled by one that is not soft', () => {
      const entry = entryNow(ledger)
      ledger.invalidate(soft({ tags: ['t:post:1'] }), 400)
      ledger.invalidate(change({ tags: ['t:post:1'] }), 500)
      expect(ledger.judge(entry)).to.equal('invalid')
    })

    it('takes over what was softly invalidated elsewhere, times it knows once only', () => {
      const entry = entryNow(ledger)
      const times = [{ seq: 1, at: 100 }]
      ledger.advance({ ...token, seq: 1 }, [], [], 0, [{ name: 't:post:1', times }])
      ledger.advance({ ...token, seq: 2 }, [], [], 0, [{ name: 't:post:1', times: [...times, { seq: 2, at: 200 }] }])
      expect(ledger.soften(entry).staleAt).to.equal(100)
      expect(ledger.soften({ ...entry, seq: 1 }).staleAt).to.equal(200)
      expect(ledger.soften({ ...entry, seq: 2 }).staleAt).to.equal(1_000)
    })

    it('is stale already while that is not confirmed', () => {
      const entry = entryNow(ledger)
      const release = ledger.hold(soft({ tags: ['t:post:1'] }), 400)
      expect(ledger.judge(entry)).to.equal('valid')
      expect(ledger.soften(entry).staleAt).to.equal(400)
      expect(ledger.soften(entryNow(ledger)).staleAt).to.equal(400)
      release()
      expect(ledger.soften(entry).staleAt).to.equal(1_000)
    })

    it('beyond its limits finds wrong what it can no longer judge', () => {
      const old = entryNow(ledger, { tags: ['t:0'] })
      for (let index = 0; index <= MAX_TAG_RECORDS; index++) ledger.invalidate(soft({ tags: [`t:${index}`] }), 400)
      expect(ledger.records).to.be.at.most(MAX_TAG_RECORDS)
      expect(ledger.judge(old)).to.equal('invalid')
      const page = entryNow(ledger)
      for (let index = 0; index <= MAX_BANS; index++) ledger.invalidate(soft({ patterns: [`/other/${index}`] }), 400)
      expect(ledger.judge(page)).to.equal('invalid')
    })

    it('keeps few times, and takes no entry for less stale than it is', () => {
      const gaps = fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 60 })
      fc.assert(
        fc.property(gaps, (list) => {
          let at = 0
          const all: SoftTime[] = list.map((gap, index) => ({ seq: index + 1, at: (at += gap) }))
          const kept = all.reduce(withSoftTime, [] as readonly SoftTime[])
          expect(kept.length).to.be.at.most(MAX_SOFT_TIMES)
          expect(kept.at(-1)).to.deep.equal(all.at(-1))
          for (let seq = 0; seq <= all.length; seq++) {
            const [told, real] = [kept, all].map((times) => times.find((time) => time.seq > seq)?.at)
            if (real === undefined) expect(told).to.equal(undefined)
            else expect(told).to.be.at.most(real)
          }
        }),
      )
    })
  })

  context('while writes are under way', () => {
    const named = change({ tags: ['t:post:1'] })

    it('finds wrong what they name, until each of them is over', () => {
      ledger.invalidate({ ...named, mark: { id: 'a', lifeMs: 1 } })
      ledger.invalidate({ ...named, mark: { id: 'b', lifeMs: 1 } })
      ledger.invalidate({ ...named, mark: { id: 'a', lifeMs: 1 } })
      expect(ledger.judge(filledNow(ledger))).to.equal('invalid')
      expect(ledger.judge(filledNow(ledger, { tags: [] }))).to.equal('valid')
      ledger.invalidate({ ...named, mark: { id: 'a', lifeMs: 0 } })
      expect(ledger.judge(filledNow(ledger))).to.equal('invalid')
      const under = filledNow(ledger)
      ledger.invalidate({ ...named, mark: { id: 'b', lifeMs: 0 } })
      expect(ledger.judge(under)).to.equal('invalid')
      expect(ledger.judge(filledNow(ledger))).to.equal('valid')
    })

    it('goes on doing so in a new life', () => {
      ledger.invalidate({ ...named, mark: { id: 'a', lifeMs: 1 } })
      ledger.invalidate(change({ all: true }))
      expect(ledger.judge(filledNow(ledger))).to.equal('invalid')
      ledger.invalidate(change({ all: true, mark: { id: 'a', lifeMs: 0 } }))
      expect(ledger.judge(filledNow(ledger))).to.equal('valid')
    })
  })

  context('at its limits', () => {
    it('drops the oldest tags, and finds wrong what they would have judged', () => {
      const old = filledNow(ledger, { tags: ['t:0'] })
      const unrelated = filledNow(ledger, { tags: [] })
      for (let index = 0; index <= MAX_TAG_RECORDS; index++) ledger.invalidate(change({ tags: [`t:${index}`] }))
      expect(ledger.records).to.be.at.most(MAX_TAG_RECORDS)
      expect([ledger.judge(old), ledger.judge(unrelated)]).to.deep.equal(['invalid', 'invalid'])
      expect(ledger.judge(filledNow(ledger, { tags: ['t:0'] }))).to.equal('valid')
    })

    it('refuses only fills in flight where the entries of invalidated keys are dropped', () => {
      const dropping = new TagLedger(undefined, { areKeysDropped: true })
      const old = filledNow(dropping, { kind: 'value', tags: ['k:old', 't:x'] })
      for (let index = 0; index <= MAX_TAG_RECORDS; index++) dropping.invalidate(change({ tags: [`k:${index}`] }))
      expect(dropping.records).to.be.at.most(MAX_TAG_RECORDS)
      expect([dropping.judge(old), dropping.judgeFill(old)]).to.deep.equal(['valid', 'invalid'])
      const now = filledNow(dropping, { kind: 'value', tags: ['k:0'] })
      expect(dropping.judgeFill(now)).to.equal('valid')
      for (let index = 0; index <= MAX_TAG_RECORDS; index++) dropping.invalidate(change({ tags: [`t:${index}`] }))
      expect(dropping.judge(now)).to.equal('invalid')
    })

    it('drops the oldest patterns, and finds wrong what they would have judged', () => {
      const old = filledNow(ledger)
      for (let index = 0; index <= MAX_BANS; index++) ledger.invalidate(change({ patterns: [`/other/${index}`] }))
      expect(ledger.records).to.equal(MAX_BANS)
      expect(ledger.judge(old)).to.equal('invalid')
      expect(ledger.judge(filledNow(ledger))).to.equal('valid')
    })
  })

  it('never finds an entry right after one of its tags was invalidated, whatever the order of events', () => {
    const tag: fc.Arbitrary<string> = fc.constantFrom('t:a', 't:b', 't:c')
    const step = fc.oneof(
      fc.record({ fill: fc.array(tag, { maxLength: 2 }) }),
      fc.record({ invalidate: fc.array(tag, { minLength: 1, maxLength: 2 }) }),
      fc.constant({ all: true }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const tested = new TagLedger()
        const entries: { entry: Judged; wrong: boolean }[] = []
        for (const one of steps) {
          if ('fill' in one) entries.push({ entry: filledNow(tested, { tags: one.fill }), wrong: false })
          else {
            const tags = 'invalidate' in one ? one.invalidate : []
            tested.invalidate(change({ tags, all: 'all' in one }))
            for (const item of entries)
              item.wrong ||= 'all' in one || item.entry.tags.some((name) => tags.includes(name))
          }
        }
        for (const { entry, wrong } of entries) expect(tested.judge(entry)).to.equal(wrong ? 'invalid' : 'valid')
      }),
    )
  })
})

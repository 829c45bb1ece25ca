import { expect } from 'chai'
import fc from 'fast-check'
import { type Judged, type LedgerChange, MAX_BANS, MAX_TAG_RECORDS, TagLedger } from '../../lib/tags.ts'

const token = { incarnation: 'a'.repeat(16), seq: 0, nonce: '00000000' }

function change(part: Partial<LedgerChange>): LedgerChange {
  return { tags: [], patterns: [], all: false, ...part }
}

/** An entry whose fill starts now. */
function filledNow(ledger: TagLedger, part: Partial<Judged> = {}): Judged {
  const { incarnation, seq } = ledger.token
  return { kind: 'response', name: '/posts/1', tags: ['t:post:1'], incarnation, seq, ...part }
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

  context('at its limits', () => {
    it('drops the oldest tags, and finds wrong what they would have judged', () => {
      const old = filledNow(ledger, { tags: ['t:0'] })
      const unrelated = filledNow(ledger, { tags: [] })
      for (let index = 0; index <= MAX_TAG_RECORDS; index++) ledger.invalidate(change({ tags: [`t:${index}`] }))
      expect(ledger.records).to.be.at.most(MAX_TAG_RECORDS)
      expect([ledger.judge(old), ledger.judge(unrelated)]).to.deep.equal(['invalid', 'invalid'])
      expect(ledger.judge(filledNow(ledger, { tags: ['t:0'] }))).to.equal('valid')
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

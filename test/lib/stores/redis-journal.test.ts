import { expect } from 'chai'
import sinon from 'sinon'
import { Journal, MAX_UNCONFIRMED, RETRY_FOR_MS } from '../../../lib/stores/redis-journal.ts'
import { type LedgerChange, TagLedger } from '../../../lib/tags.ts'

describe('Journal', () => {
  let clock: sinon.SinonFakeTimers
  let ledger: TagLedger
  let journal: Journal
  let attempts: string[]
  let fails: boolean
  let meanwhile: () => void

  beforeEach(() => {
    clock = sinon.useFakeTimers()
    ledger = new TagLedger()
    attempts = []
    fails = true
    meanwhile = () => {}
    const tried = async (what: string): Promise<void> => {
      attempts.push(what)
      meanwhile()
      if (fails) throw new Error('away')
    }
    journal = new Journal({
      monotonic: () => clock.now,
      attempt: (_, change) => tried(change.tags.join()),
      rotate: () => tried('rotate'),
      ledger: () => ledger,
    })
  })
  afterEach(() => {
    journal.close()
    clock.restore()
  })

  const tagged = (tag: string): LedgerChange => ({ tags: [tag], patterns: [], all: false })
  const entry = (tag: string) => ({ kind: 'value', name: 'x', tags: [tag], ...ledger.token }) as const

  function add(tag: string): void {
    const change = tagged(tag)
    journal.add(0, change, ledger.hold(change))
  }

  it('retries by itself until it is confirmed, holding what it names', async () => {
    add('t:a')
    await clock.tickAsync(500)
    expect(attempts).to.deep.equal(['t:a', 't:a'])
    expect(ledger.judge(entry('t:a'))).to.equal('invalid')
    expect(ledger.judge(entry('t:b'))).to.equal('valid')
    fails = false
    await clock.tickAsync(250)
    expect(ledger.judge(entry('t:a'))).to.equal('valid')
    expect(journal.size).to.equal(0)
    expect(clock.countTimers()).to.equal(0)
  })

  it('keeps the same invalidation once', async () => {
    add('t:a')
    add('t:a')
    expect(journal.size).to.equal(1)
    fails = false
    await journal.retry()
    expect(ledger.judge(entry('t:a'))).to.equal('valid')
  })

  it('leaves to a newer invalidation of the same what it names, and holds it until that is done', async () => {
    add('t:a')
    add('t:b')
    fails = false
    let release = (): void => {}
    meanwhile = () => {
      if (journal.size === 2) release = journal.take(0, tagged('t:b'))
    }
    await clock.tickAsync(500)
    expect(attempts).to.deep.equal(['t:a'])
    expect(ledger.judge(entry('t:b'))).to.equal('invalid')
    release()
    expect(ledger.judge(entry('t:b'))).to.equal('valid')
    expect(clock.countTimers()).to.equal(0)
  })

  it('tries again what came while the same was on its way', async () => {
    add('t:a')
    fails = false
    meanwhile = () => add('t:a')
    await journal.retry()
    expect(journal.size).to.equal(1)
    expect(ledger.judge(entry('t:a'))).to.equal('invalid')
  })

  it('shrinks to emptying the partition after a minute', async () => {
    add('t:a')
    await clock.tickAsync(RETRY_FOR_MS + 300)
    expect(attempts.at(-1)).to.equal('rotate')
    expect(journal.size).to.equal(1)
    expect(ledger.judge(entry('t:whatever'))).to.equal('invalid')
    fails = false
    await clock.tickAsync(250)
    expect(journal.size).to.equal(0)
    expect(ledger.judge(entry('t:a'))).to.equal('valid')
  })

  it('shrinks to emptying the partition when there is too much to remember', async () => {
    for (let index = 0; index <= MAX_UNCONFIRMED; index++) add(`t:${index}`)
    expect(journal.size).to.equal(1)
    expect(ledger.judge(entry('t:whatever'))).to.equal('invalid')
    fails = false
    await journal.retry()
    expect(attempts).to.deep.equal(['rotate'])
  })
})

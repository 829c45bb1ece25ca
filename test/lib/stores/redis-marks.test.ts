import { expect } from 'chai'
import sinon from 'sinon'
import { type MarkedWrite, Marks } from '../../../lib/stores/redis-marks.ts'
import { type LedgerChange, TagLedger } from '../../../lib/tags.ts'

const change: LedgerChange = { tags: ['t:a'], patterns: [], all: false }

describe('Marks', () => {
  let clock: sinon.SinonFakeTimers
  let ledger: TagLedger
  let marks: Marks
  let asked: number[]
  let restored: MarkedWrite[]

  beforeEach(() => {
    clock = sinon.useFakeTimers()
    ledger = new TagLedger()
    asked = []
    restored = []
    marks = new Marks({
      ledger,
      monotonic: () => clock.now,
      onDue: async () => void asked.push(clock.now),
      restore: async (write) => void restored.push(write),
    })
  })
  afterEach(() => {
    marks.close()
    clock.restore()
  })

  const isHeld = (): boolean => ledger.judge({ kind: 'value', name: 'x', tags: ['t:a'], ...ledger.token }) === 'invalid'
  const server = (...ids: string[]): MarkedWrite[] => ids.map((id) => ({ id, leftMs: 1_000, change }))

  it('hold what a write names from before the server is told until it is over', () => {
    marks.begin('w', change, 1_000)
    expect(isHeld()).to.equal(true)
    marks.told('w', 'inc')
    marks.take(server('w'), 'inc', ['inc'])
    expect(isHeld()).to.equal(true)
    marks.end('w')
    expect(isHeld()).to.equal(false)
  })

  it('follow the server', () => {
    marks.take(server('v', 'w'), 'inc', ['inc'])
    marks.take(server('w'), 'inc', ['inc'])
    expect(isHeld()).to.equal(true)
    marks.take([], 'inc', ['inc'])
    expect(isHeld()).to.equal(false)
  })

  it('ask when the time of a write is over, again and again until the server has ended it, and not at all otherwise', async () => {
    expect(clock.countTimers()).to.equal(0)
    marks.take(server('w'), 'inc', ['inc'])
    await clock.tickAsync(1_000)
    expect(asked).to.deep.equal([])
    await clock.tickAsync(200)
    expect(asked.length).to.be.within(2, 5)
    expect(isHeld()).to.equal(true)
    marks.take([], 'inc', ['inc'])
    expect(clock.countTimers()).to.equal(0)
  })

  it('stay where the server has lost them, and are brought back with the time that is left', () => {
    marks.take(server('w'), 'inc', ['inc'])
    clock.tick(400)
    marks.take([], 'new', ['new'])
    expect(isHeld()).to.equal(true)
    marks.restore('new')
    expect(restored).to.deep.equal([{ id: 'w', leftMs: 600, change }])
    marks.told('w', 'new')
    marks.restore('new')
    expect(restored).to.have.length(1)
  })

  it('are told to be over where their time has passed meanwhile', () => {
    marks.take(server('w'), 'inc', ['inc'])
    clock.tick(2_000)
    marks.restore('new')
    expect(restored).to.deep.equal([{ id: 'w', leftMs: 0, change }])
  })

  it('are not brought back while the server is being told, nor where an incarnation was ended on purpose', () => {
    marks.begin('w', change, 1_000)
    marks.restore('inc')
    marks.told('w', 'inc')
    marks.carry('inc', 'next')
    marks.restore('next')
    expect(restored).to.deep.equal([])
    marks.take([], 'last', ['inc', 'next', 'last'])
    expect(isHeld()).to.equal(false)
  })

  it('are tried again where the server did not hear', () => {
    marks.begin('w', change, 1_000)
    marks.told('w', undefined)
    marks.restore('inc')
    expect(restored).to.have.length(1)
    expect(isHeld()).to.equal(true)
  })
})

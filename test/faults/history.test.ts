import { expect } from 'chai'
import { type Acknowledgement, History, instant, type ReadRun, type StaleRead } from './history.ts'

/** Reads of version 1 of subject 0, all begun at 10. */
function read(changes: Partial<ReadRun> = {}): ReadRun {
  const lastAt = changes.lastAt ?? 10
  return { key: 0, version: 1, firstAt: lastAt, lastAt, count: 1, process: 'reader', source: 'memory', ...changes }
}

/** Version 2 of subject 0, acknowledged at 5. */
function acknowledgement(changes: Partial<Acknowledgement> = {}): Acknowledgement {
  return { key: 0, version: 2, at: 5, process: 'writer', ...changes }
}

describe('History', () => {
  let stale: StaleRead[]
  let history: History
  beforeEach(() => {
    stale = []
    history = new History((one) => stale.push(one))
  })

  for (const order of ['read first', 'acknowledgement first'] as const) {
    const tell = (one: ReadRun, acknowledged: Acknowledgement): void => {
      if (order === 'read first') history.read(one)
      history.acknowledge(acknowledged)
      if (order !== 'read first') history.read(one)
    }

    describe(`told of the ${order}`, () => {
      it('finds a read that began after the acknowledgement and is older', () => {
        tell(read(), acknowledgement())
        expect(stale).to.deep.equal([{ read: read(), acknowledged: acknowledgement() }])
        expect(history).to.include({ stale: 1, reads: 1, acknowledged: 1 })
      })

      it('allows a read that began before it, whenever it ended', () => {
        tell(read({ lastAt: 4 }), acknowledgement())
        tell(read({ lastAt: 5 }), acknowledgement())
        expect(history.stale).to.equal(0)
      })

      it('allows a read of that version, and of a newer one', () => {
        tell(read({ version: 2 }), acknowledgement())
        tell(read({ version: 3 }), acknowledgement())
        expect(history.stale).to.equal(0)
      })

      it('allows old versions of other subjects', () => {
        tell(read({ key: 1 }), acknowledgement())
        expect(history.stale).to.equal(0)
      })

      it('finds a read that is older by several versions', () => {
        tell(read({ version: 0 }), acknowledgement({ version: 7 }))
        expect(history.stale).to.equal(1)
      })

      it('finds a run of which only the last read came too late, as one', () => {
        tell(read({ firstAt: 1, lastAt: 6, count: 1_000 }), acknowledgement())
        expect(history).to.include({ stale: 1, reads: 1_000 })
      })

      it('counts all reads of a run that began too late', () => {
        tell(read({ firstAt: 6, lastAt: 8, count: 12 }), acknowledgement())
        expect(history.stale).to.equal(12)
      })
    })
  }

  it('holds each read against the earliest acknowledgement of any newer version', () => {
    history.acknowledge(acknowledgement({ version: 5, at: 20 }))
    history.acknowledge(acknowledgement({ version: 3, at: 5 }))
    history.read(read({ version: 2, lastAt: 10 }))
    history.read(read({ version: 4, lastAt: 10 }))
    expect(stale.map(({ read: { version } }) => version)).to.deep.equal([2])
    expect(stale[0]?.acknowledged.version).to.equal(3)
  })

  it('tells of a read once, however many acknowledgements it is older than', () => {
    history.read(read({ lastAt: 30 }))
    history.acknowledge(acknowledgement({ version: 2, at: 20 }))
    history.acknowledge(acknowledgement({ version: 3, at: 10 }))
    expect(history.stale).to.equal(1)
  })

  it('sees a read that is too late behind others that are not', () => {
    history.read(read({ lastAt: 30 }))
    history.read(read({ lastAt: 3 }))
    history.acknowledge(acknowledgement({ at: 20 }))
    expect(stale.map(({ read: { lastAt } }) => lastAt)).to.deep.equal([30])
  })

  it('gets the same from the same reports in any order', () => {
    const reports = [
      (all: History) => all.read(read({ version: 0, lastAt: 7 })),
      (all: History) => all.read(read({ version: 1, lastAt: 7 })),
      (all: History) => all.acknowledge(acknowledgement({ version: 1, at: 8 })),
      (all: History) => all.acknowledge(acknowledgement({ version: 2, at: 6 })),
    ]
    const counts = permutations(reports).map((order) => {
      const all = new History(() => {})
      for (const report of order) report(all)
      return all.stale
    })
    expect(new Set(counts)).to.deep.equal(new Set([2]))
  })

  it('reads the same clock in all processes, whatever the wall clock says', () => {
    const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6
    const before = monotonic()
    expect(instant()).to.be.within(before, monotonic())
  })
})

function permutations<T>(list: readonly T[]): readonly (readonly T[])[] {
  if (list.length <= 1) return [list]
  return list.flatMap((one, at) => permutations(list.toSpliced(at, 1)).map((rest) => [one, ...rest]))
}

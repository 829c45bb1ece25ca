import { expect } from 'chai'
import sinon from 'sinon'
import type { Turn, Turns } from '../../lib/stores/turns.ts'
import { skippedRun, type WarmReport } from '../../lib/warm-run.ts'
import { CLAIM_MS, WarmSchedule } from '../../lib/warm-schedule.ts'

const MINUTE = 60_000
const WHOLE: WarmReport = {
  total: 1,
  warmed: 1,
  fresh: 0,
  unkept: 0,
  failures: 0,
  failed: [],
  elapsedMs: 1,
  interrupted: false,
}

describe('WarmSchedule', () => {
  let time: sinon.SinonFakeTimers
  let told: Turn
  let isKept: boolean
  let ended: boolean[]
  let asked: boolean[]
  let runs: { readonly signal: AbortSignal; end(report?: Partial<WarmReport>): void }[]
  let reports: WarmReport[]
  let schedule: WarmSchedule

  /** Lets what is due take place, promises included. */
  const pass = (ms: number): Promise<number> => time.tickAsync(ms)

  beforeEach(() => {
    time = sinon.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    })
    told = { kind: 'mine' }
    isKept = true
    ended = []
    asked = []
    runs = []
    reports = []
    const turns: Turns = {
      take: async ({ isDue }) => {
        asked.push(isDue)
        return told
      },
      keep: async () => isKept,
      end: async (isDone) => void ended.push(isDone),
    }
    schedule = new WarmSchedule({
      everyMs: 10 * MINUTE,
      turns,
      ready: async () => true,
      run: (signal) =>
        new Promise((resolve) => {
          const end = (report: Partial<WarmReport> = {}): void => resolve({ ...WHOLE, ...report })
          signal.addEventListener('abort', () => end({ interrupted: true }))
          runs.push({ signal, end })
        }),
      onRun: (report) => reports.push(report),
      monotonic: () => performance.now(),
    })
  })
  afterEach(async () => {
    await schedule.end()
    time.restore()
  })

  it('runs at once, then again an interval after each beginning', async () => {
    const first = schedule.begin()
    await pass(MINUTE)
    runs[0]?.end()
    expect(await first).to.deep.equal(WHOLE)
    expect(ended).to.deep.equal([true])
    await pass(9 * MINUTE - 1)
    expect(runs).to.have.length(1)
    await pass(1)
    expect(runs).to.have.length(2)
    expect(reports).to.have.length(1)
  })

  it('does not wait at all after a run that took longer than the interval', async () => {
    void schedule.begin()
    await pass(11 * MINUTE)
    runs[0]?.end()
    await pass(1)
    expect(runs).to.have.length(2)
  })

  for (const [turn, skipped, waitMs] of [
    [{ kind: 'theirs', leftMs: 300 }, 'running', 301],
    [{ kind: 'done', leftMs: 7_000 }, 'recent', 7_001],
    [{ kind: 'away' }, 'away', 1_000],
  ] as const) {
    it(`asks again in time where it is told: ${turn.kind}`, async () => {
      told = turn
      expect(await schedule.begin()).to.deep.equal(skippedRun(skipped))
      told = { kind: 'mine' }
      await pass(waitMs - 1)
      expect(asked).to.have.length(1)
      await pass(1)
      expect(asked).to.deep.equal([true, true])
      expect(runs).to.have.length(1)
      expect(reports).to.deep.equal([])
    })
  }

  it('tries again after a run that was not whole, twice as long after each, and no later than the interval', async () => {
    void schedule.begin()
    const waits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    for (const [run, seconds] of waits.entries()) {
      await pass(0)
      runs[run]?.end({ interrupted: true })
      await pass(seconds * 1_000 - 1)
      expect(runs).to.have.length(run + 1)
      await pass(1)
    }
    expect(ended).to.deep.equal(waits.map(() => false))
    runs.at(-1)?.end()
    await pass(10 * MINUTE)
    runs.at(-1)?.end({ interrupted: true })
    await pass(1_000)
    expect(runs).to.have.length(waits.length + 3)
  })

  it('ends a run that another process has taken over', async () => {
    void schedule.begin()
    await pass(CLAIM_MS)
    expect(runs[0]?.signal.aborted).to.equal(false)
    isKept = false
    await pass(CLAIM_MS / 5)
    expect(runs[0]?.signal.aborted).to.equal(true)
    expect(reports[0]).to.include({ interrupted: true })
  })

  it('runs when it is asked to, due or not, but not twice at the same time', async () => {
    void schedule.begin()
    await pass(0)
    expect(schedule.isRunning).to.equal(true)
    expect(await schedule.runNow()).to.deep.equal(skippedRun('running'))
    runs[0]?.end()
    await pass(0)
    expect(schedule.isRunning).to.equal(false)
    const run = schedule.runNow()
    await pass(0)
    runs[1]?.end()
    expect(await run).to.deep.equal(WHOLE)
    expect(asked).to.deep.equal([true, false])
  })

  it('looks again soon where its time comes while it is running for somebody who asked', async () => {
    void schedule.begin()
    await pass(0)
    runs[0]?.end()
    await pass(9 * MINUTE)
    void schedule.runNow()
    await pass(MINUTE)
    expect(runs).to.have.length(2)
    runs[1]?.end()
    await pass(CLAIM_MS)
    expect(asked).to.deep.equal([true, false, true])
  })

  it('lets go of what is under way when it is ended, and begins nothing more', async () => {
    const first = schedule.begin()
    await pass(0)
    await schedule.end()
    expect(await first).to.include({ interrupted: true })
    expect(ended).to.deep.equal([false])
    await pass(60 * MINUTE)
    expect(runs).to.have.length(1)
    expect(time.countTimers()).to.equal(0)
  })
})

import { expect } from 'chai'
import sinon from 'sinon'
import { Guard, GuardError, within } from '../../../lib/stores/guarded.ts'

describe('Guard', () => {
  let clock: sinon.SinonFakeTimers
  let events: string[]
  let probe: () => Promise<unknown>
  let isReady = true

  beforeEach(() => {
    clock = sinon.useFakeTimers()
    events = []
    isReady = true
    probe = () => Promise.reject(new Error('still away'))
  })
  afterEach(() => clock.restore())

  function guard(): Guard {
    return new Guard({
      deadlineMs: 50,
      monotonic: () => clock.now,
      isReady: () => isReady,
      isOutage: (cause) => !(cause instanceof Error && cause.message === 'just an answer'),
      isFatal: (cause) => cause instanceof Error && cause.message === 'READONLY',
      probe: () => {
        events.push('probe')
        return probe()
      },
      onDegraded: (reason) => events.push(`degraded: ${reason}`),
      onRecovered: (afterMs) => events.push(`recovered: ${afterMs}`),
      onStuck: () => events.push('stuck'),
    })
  }

  const hang = (): Promise<never> => new Promise(() => {})
  const fault = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'none',
      (error: unknown) => (error instanceof GuardError ? error.fault : String(error)),
    )

  async function fail(target: Guard, times: number, message = 'connection lost'): Promise<void> {
    for (let time = 0; time < times; time++) await fault(target.run(() => Promise.reject(new Error(message))))
  }

  it('passes an answer through and leaves no timer', async () => {
    expect(await guard().run(() => Promise.resolve(7))).to.equal(7)
    expect(clock.countTimers()).to.equal(0)
  })

  it('gives up at the deadline', async () => {
    const late = fault(guard().run(hang))
    await clock.tickAsync(49)
    expect(clock.countTimers()).to.equal(1)
    await clock.tickAsync(2)
    expect(await late).to.equal('timeout')
    expect(clock.countTimers()).to.equal(0)
  })

  it('does not blame Redis for time-outs of a process that was too busy to look', async () => {
    const target = guard()
    for (let time = 0; time < 5; time++) {
      const late = fault(target.run(hang))
      // The process does something else: the clock goes on, the timer fires when it is done.
      clock.setSystemTime(clock.now + 200)
      await clock.tickAsync(51)
      expect(await late).to.equal('timeout')
    }
    expect(target.open).to.equal(false)
    target.close()
  })

  it('takes the cause along when a command fails or throws', async () => {
    const cause = new Error('WRONGTYPE')
    for (const command of [
      () => Promise.reject(cause),
      () => {
        throw cause
      },
    ]) {
      const error = await guard()
        .run(command)
        .catch((reason: unknown) => reason)
      expect(error).to.be.instanceOf(GuardError)
      expect(error).to.include({ fault: 'failed', cause })
    }
  })

  it('opens after three failures in a row and sends nothing more', async () => {
    const target = guard()
    await fail(target, 2)
    await target.run(() => Promise.resolve())
    await fail(target, 2)
    expect(target.open).to.equal(false)
    await fail(target, 1)
    expect(target.open).to.equal(true)
    expect(events).to.deep.equal(['degraded: connection lost'])
    const command = sinon.spy(hang)
    expect(await fault(target.run(command))).to.equal('open')
    expect(command.callCount).to.equal(0)
    target.close()
  })

  it('counts timeouts like failures', async () => {
    const target = guard()
    const late = [fault(target.run(hang)), fault(target.run(hang)), fault(target.run(hang))]
    await clock.tickAsync(51)
    await Promise.all(late)
    expect(events).to.deep.equal(['degraded: no answer in time'])
    target.close()
  })

  it('lets nobody wait where another has waited in vain, until there is an answer, be it late', async () => {
    const target = guard()
    let answerLate: () => void = () => {}
    const late = fault(target.run(() => new Promise<void>((resolve) => (answerLate = resolve))))
    await clock.tickAsync(51)
    expect(await late).to.equal('timeout')
    const command = sinon.spy(() => Promise.resolve(7))
    const refused = target.run(command)
    expect(await fault(refused)).to.equal('open')
    expect(command.callCount).to.equal(0)
    expect(target.open).to.equal(false)
    answerLate()
    await clock.tickAsync(0)
    expect(await target.run(command)).to.equal(7)
    expect(events).to.deep.equal([])
  })

  it('opens when others ask in vain during a silence', async () => {
    const target = guard()
    const late = fault(target.run(hang))
    await clock.tickAsync(51)
    expect(await late).to.equal('timeout')
    const command = sinon.spy(hang)
    for (let time = 0; time < 2; time++) expect(await fault(target.run(command))).to.equal('open')
    expect(command.callCount).to.equal(0)
    expect(events).to.deep.equal(['degraded: no answer in time'])
    target.close()
  })

  it('hears a silence that began after the command was sent', async () => {
    const target = guard()
    const late = fault(target.run(hang))
    await clock.tickAsync(5)
    await target.run(() => Promise.resolve())
    await clock.tickAsync(46)
    expect(await late).to.equal('timeout')
    const command = sinon.spy(hang)
    expect(await fault(target.run(command))).to.equal('open')
    expect(command.callCount).to.equal(0)
  })

  it('sends what has more patience into a silence', async () => {
    const target = guard()
    const late = fault(target.run(hang))
    await clock.tickAsync(51)
    expect(await late).to.equal('timeout')
    expect(await target.run(() => Promise.resolve(7), 800)).to.equal(7)
    expect(await target.run(() => Promise.resolve(8)), 'and its answer ends the silence').to.equal(8)
  })

  it('goes on where only one of several commands is late', async () => {
    const target = guard()
    const late = fault(target.run(hang))
    await clock.tickAsync(30)
    await target.run(() => Promise.resolve())
    await clock.tickAsync(21)
    expect(await late).to.equal('timeout')
    expect(await target.run(() => Promise.resolve(7))).to.equal(7)
  })

  it('does not take a command of less patience for a silence', async () => {
    const target = guard()
    const late = fault(target.run(hang, 5))
    await clock.tickAsync(6)
    expect(await late).to.equal('timeout')
    expect(await target.run(() => Promise.resolve(7))).to.equal(7)
  })

  it('says why it refuses', async () => {
    const target = guard()
    await fail(target, 3, 'connection lost')
    const error = await target.run(hang).catch((reason: unknown) => reason)
    expect(error).to.include({ message: 'Redis is not used at the moment: connection lost' })
    target.close()
  })

  it('does not take a refusal of one command for an outage', async () => {
    const target = guard()
    await fail(target, 10, 'just an answer')
    expect(target.open).to.equal(false)
  })

  it('opens at once on an answer that leaves no doubt', async () => {
    const target = guard()
    await fail(target, 1, 'READONLY')
    expect(events).to.deep.equal(['degraded: READONLY'])
    target.close()
  })

  it('opens at once when nothing can be sent', async () => {
    const target = guard()
    isReady = false
    expect(await fault(target.run(hang))).to.equal('open')
    expect(events).to.deep.equal(['degraded: not connected'])
    target.close()
  })

  it('probes every 250 ms and closes at the first good one', async () => {
    const target = guard()
    await fail(target, 3)
    await clock.tickAsync(500)
    probe = () => Promise.resolve('PONG')
    await clock.tickAsync(250)
    expect(events).to.deep.equal(['degraded: connection lost', 'probe', 'probe', 'probe', 'recovered: 750'])
    expect(target.open).to.equal(false)
    expect(target.degradedSince).to.equal(undefined)
    expect(clock.countTimers()).to.equal(0)
  })

  it('probes at once when told that the connection is back', async () => {
    const target = guard()
    await fail(target, 3)
    probe = () => Promise.resolve('PONG')
    target.probe()
    await clock.tickAsync(0)
    expect(events.at(-1)).to.equal('recovered: 0')
  })

  it('sends one probe at a time and reports a link on which nothing is answered', async () => {
    const target = guard()
    await fail(target, 3)
    probe = hang
    await clock.tickAsync(1_250)
    expect(events).to.deep.equal(['degraded: connection lost', 'probe', 'stuck'])
    probe = () => Promise.resolve('PONG')
    await clock.tickAsync(250)
    expect(events.slice(3)).to.deep.equal(['probe', 'recovered: 1500'])
  })

  it('refuses everything once closed and stops probing', async () => {
    const target = guard()
    await fail(target, 3)
    target.close()
    await clock.tickAsync(1_000)
    expect(events).to.deep.equal(['degraded: connection lost'])
    expect(await fault(target.run(() => Promise.resolve()))).to.equal('open')
  })
})

describe('within', () => {
  it('prefers an answer that arrived while the process was busy to the timer that fires first', async () => {
    const answer = new Promise((resolve) => setTimeout(() => setImmediate(resolve, 'in time'), 1))
    const result = within(() => answer, 1)
    const busyUntil = process.hrtime.bigint() + 5_000_000n
    while (process.hrtime.bigint() < busyUntil);
    expect(await result).to.equal('in time')
  })
})

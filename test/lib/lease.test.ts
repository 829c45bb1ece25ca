import { expect } from 'chai'
import { withMonotonic } from '../../lib/clock.ts'
import { Gauge } from '../../lib/gauge.ts'
import { Flight, Flights, LOCK_WAIT_MS } from '../../lib/lease.ts'

/** Flights on a monotonic clock that a test moves. */
function makeFlights(): { readonly flights: Flights<string>; advance(ms: number): void } {
  let elapsed = 0
  const flights = new Flights<string>(withMonotonic({ now: () => 0, monotonic: () => elapsed }))
  return {
    flights,
    advance: (ms) => {
      elapsed += ms
    },
  }
}

describe('Flight', () => {
  it('hands its result to everybody waiting', async () => {
    const flight = new Flight<string>({}, 0)
    const waiting = [flight.wait(1_000), flight.wait(1_000)]
    expect(flight.waiters).to.equal(2)
    flight.land('done')
    expect(await Promise.all(waiting)).to.deep.equal(['done', 'done'])
    expect(flight.waiters).to.equal(0)
  })

  it('lets nobody wait longer than asked for', async () => {
    const flight = new Flight<string>({}, 0)
    expect(await flight.wait(1)).to.equal(undefined)
    expect(flight.waiters).to.equal(0)
    flight.land('late')
    expect(await flight.wait(1_000)).to.equal('late')
  })

  it('hands out what can be had before the end to those who ask for it', async () => {
    const flight = new Flight<string>({}, 0)
    const [first, last] = [flight.waitForFirst(1_000), flight.wait(1_000)]
    expect(flight.early).to.equal(undefined)
    flight.announce('some')
    expect([flight.early, await first]).to.deep.equal(['some', 'some'])
    flight.land('all')
    expect([await last, await flight.waitForFirst(1_000)]).to.deep.equal(['all', 'some'])
  })

  it('hands out its result where there was nothing before', async () => {
    const flight = new Flight<string>({}, 0)
    const first = flight.waitForFirst(1_000)
    flight.land('all')
    expect(await first).to.equal('all')
    expect(await new Flight<string>({}, 0).waitForFirst(1)).to.equal(undefined)
  })

  it('counts those who depend on it, with those of others', async () => {
    const all = new Gauge(10)
    const [one, other] = [new Flight<string>({}, 0, all), new Flight<string>({}, 0, all)]
    const waiting = [one.wait(1_000), one.waitForFirst(1_000), other.wait(1_000)]
    one.count(1)
    expect([one.waiters, other.waiters, all.stats().current]).to.deep.equal([3, 1, 4])
    one.land('done')
    other.land('done')
    await Promise.all(waiting)
    one.count(-1)
    expect(all.stats()).to.deep.equal({ limit: 10, current: 0, peak: 4, refused: 0 })
  })

  it('keeps the first result', async () => {
    const flight = new Flight<string>({}, 0)
    flight.land(undefined)
    flight.land('second')
    expect(await flight.wait(1_000)).to.equal(undefined)
  })
})

describe('Gauge', () => {
  it('admits what is within the limit, and counts what is not', () => {
    const gauge = new Gauge(3)
    expect(gauge.admits(3)).to.equal(true)
    gauge.add(2)
    expect([gauge.admits(1), gauge.admits(2)]).to.deep.equal([true, false])
    gauge.add(-1)
    expect(gauge.admits(2)).to.equal(true)
    gauge.refuse()
    expect(gauge.stats()).to.deep.equal({ limit: 3, current: 1, peak: 2, refused: 2 })
  })
})

describe('Flights', () => {
  const stamp = {}

  it('lets others join what is under way', () => {
    const { flights } = makeFlights()
    expect(flights.join('a', stamp)).to.equal(undefined)
    const flight = flights.begin('a', stamp)
    expect(flights.join('a', stamp)).to.equal(flight)
    expect(flights.join('b', stamp)).to.equal(undefined)
  })

  it('lets nobody join a flight from before an invalidation', () => {
    const { flights } = makeFlights()
    flights.begin('a', stamp)
    expect(flights.join('a', {})).to.equal(undefined)
  })

  it('lets nobody join a flight that takes longer than the lock wait', () => {
    const { flights, advance } = makeFlights()
    const flight = flights.begin('a', stamp)
    advance(LOCK_WAIT_MS - 1)
    expect(flights.join('a', stamp)).to.equal(flight)
    advance(1)
    expect(flights.join('a', stamp)).to.equal(undefined)
  })

  it('lets others join one that takes longer where something of it can be had, but not after an invalidation', () => {
    const { flights, advance } = makeFlights()
    const flight = flights.begin('a', stamp)
    flight?.announce('some')
    advance(LOCK_WAIT_MS)
    expect(flights.join('a', stamp)).to.equal(flight)
    expect(flights.join('a', {})).to.equal(undefined)
  })

  it('ends a flight when it lands, but not the one that has replaced it', async () => {
    const { flights } = makeFlights()
    const first = flights.begin('a', stamp)
    const second = flights.begin('a', {})
    flights.land('a', first, 'old')
    expect(flights.stats().current).to.equal(1)
    expect(await first?.wait(1_000)).to.equal('old')
    flights.land('a', second, 'new')
    expect(flights.stats().current).to.equal(0)
    expect(await second?.wait(1_000)).to.equal('new')
  })

  it('takes the landing of a flight that was refused', () => {
    const { flights } = makeFlights()
    flights.land('a', undefined, 'value')
    expect(flights.stats().current).to.equal(0)
  })

  it('is bounded, and counts peak and refusals', () => {
    const { flights } = makeFlights()
    const { limit } = flights.stats()
    for (let index = 0; index < limit; index++) expect(flights.begin(String(index), stamp)).to.not.equal(undefined)
    expect(flights.begin('one too many', stamp)).to.equal(undefined)
    expect(flights.begin('0', stamp), 'a key that is there already').to.not.equal(undefined)
    expect(flights.stats()).to.deep.equal({ limit, current: limit, peak: limit, refused: 1 })
  })

  it('remembers for 10 s that a key cannot be shared', () => {
    const { flights, advance } = makeFlights()
    expect(flights.isUnshared('a')).to.equal(false)
    flights.markUnshared('a')
    advance(9_999)
    expect(flights.isUnshared('a')).to.equal(true)
    expect(flights.isUnshared('b')).to.equal(false)
    advance(1)
    expect(flights.isUnshared('a')).to.equal(false)
  })

  it('forgets it when the key could be shared again', () => {
    const { flights } = makeFlights()
    flights.markUnshared('a')
    flights.clearUnshared('a')
    expect(flights.isUnshared('a')).to.equal(false)
  })

  it('remembers 10,000 such keys, the latest', () => {
    const { flights } = makeFlights()
    for (let index = 0; index <= 10_000; index++) flights.markUnshared(String(index))
    expect(flights.isUnshared('0')).to.equal(false)
    expect(flights.isUnshared('1')).to.equal(true)
    expect(flights.isUnshared('10000')).to.equal(true)
  })
})

import { expect } from 'chai'
import { Flight, Flights, LOCK_WAIT_MS } from '../../lib/lease.ts'

/** Flights on a monotonic clock that a test moves. */
function makeFlights(): { readonly flights: Flights<string>; advance(ms: number): void } {
  let elapsed = 0
  const flights = new Flights<string>({ now: () => 0, monotonic: () => elapsed })
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

  it('keeps the first result', async () => {
    const flight = new Flight<string>({}, 0)
    flight.land(undefined)
    flight.land('second')
    expect(await flight.wait(1_000)).to.equal(undefined)
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

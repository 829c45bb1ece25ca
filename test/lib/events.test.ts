import { expect } from 'chai'
import { Events } from '../../lib/events.ts'

function makeEvents(): { readonly events: Events; readonly lines: string[] } {
  const lines: string[] = []
  const events = new Events({
    info: (message) => void lines.push(`info ${message}`),
    warn: (message) => void lines.push(`warn ${message}`),
  })
  return { events, lines }
}

const cause = new Error('why')

describe('Events', () => {
  it('calls every listener of a name with the event', () => {
    const { events } = makeEvents()
    const seen: unknown[] = []
    events.on('degraded', (event) => seen.push(['a', event]))
    events.on('degraded', (event) => seen.push(['b', event]))
    events.on('recovered', () => seen.push('other'))
    events.emit('degraded', { reason: 'gone' })
    expect(seen).to.deep.equal([
      ['a', { reason: 'gone' }],
      ['b', { reason: 'gone' }],
    ])
  })

  it('ends a subscription, once or twice', () => {
    const { events } = makeEvents()
    let calls = 0
    const end = events.on('error', () => calls++)
    expect(events.has('error')).to.equal(true)
    end()
    end()
    events.emit('error', { where: 'here', cause })
    expect(calls).to.equal(0)
    expect(events.has('error')).to.equal(false)
  })

  it('needs nobody to listen, even to errors', () => {
    const { events, lines } = makeEvents()
    events.emit('error', { where: 'here', cause })
    expect(events.has('error')).to.equal(false)
    expect(lines).to.deep.equal([])
  })

  it('goes on after a listener that throws, and warns once', () => {
    const { events, lines } = makeEvents()
    let calls = 0
    events.on('degraded', () => {
      throw cause
    })
    events.on('degraded', () => calls++)
    events.emit('degraded', { reason: 'gone' })
    events.emit('degraded', { reason: 'gone' })
    expect(calls).to.equal(2)
    expect(lines).to.deep.equal(['warn [cache] A listener for "degraded" threw: Error: why'])
  })

  it('takes an async listener that rejects for one that throws', async () => {
    const { events, lines } = makeEvents()
    const listener: () => unknown = () => Promise.reject(cause)
    events.on('degraded', listener)
    events.emit('degraded', { reason: 'gone' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(lines).to.deep.equal(['warn [cache] A listener for "degraded" threw: Error: why'])
  })

  it('survives a logger that throws', () => {
    const fail = (): never => {
      throw cause
    }
    const events = new Events({ info: fail, warn: fail })
    events.on('degraded', fail)
    events.info('a')
    events.warn('b')
    events.warnOnce('c', 'c')
    events.emit('degraded', { reason: 'gone' })
  })

  it('calls the methods of a logger on the logger', () => {
    class Collector {
      readonly lines: string[] = []
      info(message: string): void {
        this.lines.push(message)
      }
      warn(message: string): void {
        this.lines.push(message)
      }
    }
    const collector = new Collector()
    const events = new Events(collector)
    events.info('a')
    events.warn('b')
    expect(collector.lines).to.deep.equal(['[cache] a', '[cache] b'])
  })

  it('warns once per topic, for at most 1,000 topics', () => {
    const { events, lines } = makeEvents()
    events.warnOnce('a', 'first')
    events.warnOnce('a', 'second')
    expect(lines).to.deep.equal(['warn [cache] first'])
    for (let index = 0; index < 2_000; index++) events.warnOnce(`topic ${index}`, 'again')
    expect(lines).to.have.length(1_000)
  })
})

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** From the client to the server, or back. */
export type Direction = 'up' | 'down'

/** A network that does what a test says, in front of a server on 127.0.0.1. Bytes are never lost: they wait, or their link dies. */
export interface FaultProxy {
  readonly port: number
  readonly url: string
  /** Links that are open on the client's side. */
  readonly connections: number
  /** Pass everything at once from now on, also what was kept waiting. */
  pass(): void
  /** Keep every byte this long (ms), in both directions. */
  delay(ms: number): void
  /** Accept and keep connections, and pass nothing on: neither bytes nor the end of a connection. */
  blackHole(): void
  /** The same in one direction only; the other passes. */
  oneWay(held: Direction): void
  /** Send RST on all links. New ones are as before. */
  reset(): void
  /** Send FIN in one direction on all links, and nothing after it; the other direction goes on. */
  halfClose(direction: Direction): void
  /** Cut all links; new ones go to this port. */
  retarget(port: number): void
  close(): Promise<void>
}

export interface ProxyOptions {
  /** Where the server listens on 127.0.0.1. */
  readonly port: number
}

/** Start a TCP proxy on a free port of 127.0.0.1. */
export async function startProxy({ port }: ProxyOptions): Promise<FaultProxy> {
  const links = new Set<Link>()
  let [target, faults] = [port, NO_FAULTS]
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    const link = new Link(client, upstream, faults)
    links.add(link)
    client.once('close', () => links.delete(link))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port: ownPort } = server.address() as AddressInfo
  const suffer = (next: Faults): void => {
    faults = next
    for (const link of links) link.suffer(next)
  }
  const reset = (): void => {
    for (const link of links) link.reset()
  }
  return {
    port: ownPort,
    url: `redis://127.0.0.1:${ownPort}`,
    get connections() {
      return links.size
    },
    pass: () => suffer(NO_FAULTS),
    delay: (ms) => suffer({ delayMs: ms, held: [] }),
    blackHole: () => suffer({ delayMs: 0, held: ['up', 'down'] }),
    oneWay: (held) => suffer({ delayMs: 0, held: [held] }),
    reset,
    halfClose: (direction) => {
      for (const link of links) link.halfClose(direction)
    },
    retarget: (next) => {
      target = next
      reset()
    },
    close: async () => {
      server.close()
      for (const link of links) link.destroy()
      await once(server, 'close')
    },
  }
}

interface Faults {
  readonly delayMs: number
  readonly held: readonly Direction[]
}

const NO_FAULTS: Faults = { delayMs: 0, held: [] }

class Link {
  readonly #client: Socket
  readonly #upstream: Socket
  readonly #up: Pipe
  readonly #down: Pipe

  constructor(client: Socket, upstream: Socket, faults: Faults) {
    this.#client = client
    this.#upstream = upstream
    this.#up = new Pipe(client, upstream)
    this.#down = new Pipe(upstream, client)
    this.suffer(faults)
  }

  suffer({ delayMs, held }: Faults): void {
    this.#up.suffer(delayMs, held.includes('up'))
    this.#down.suffer(delayMs, held.includes('down'))
  }

  halfClose(direction: Direction): void {
    const pipe = direction === 'up' ? this.#up : this.#down
    pipe.cut()
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#upstream.resetAndDestroy()
  }

  destroy(): void {
    this.#client.destroy()
    this.#upstream.destroy()
  }
}

/** Bytes kept before the sender has to wait: about what the buffers of a real link take. */
const MAX_KEPT = 4 * 1024 * 1024

/** One direction of a link. Its end waits its turn behind the bytes. */
class Pipe {
  readonly #from: Socket
  readonly #to: Socket
  readonly #waiting: { readonly dueAt: number; readonly bytes: number; readonly deliver: () => void }[] = []
  #kept = 0
  #delayMs = 0
  #isHeld = false
  #isCut = false
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket) {
    this.#from = from
    this.#to = to
    from.on('data', (chunk) => this.#add(chunk.length, () => void to.write(chunk)))
    from.on('end', () => this.#add(0, () => to.end()))
    // Told by `close`.
    from.on('error', () => {})
    from.on('close', (failed) => this.#add(0, () => void (failed ? to.resetAndDestroy() : to.destroySoon())))
    to.on('close', () => {
      clearTimeout(this.#timer)
      this.#waiting.length = 0
    })
  }

  suffer(delayMs: number, isHeld: boolean): void {
    this.#delayMs = delayMs
    this.#isHeld = isHeld
    this.#flow()
  }

  /** End this direction here. */
  cut(): void {
    this.#isCut = true
    this.#to.end()
  }

  #add(bytes: number, deliver: () => void): void {
    if (this.#isCut || this.#to.destroyed) return
    this.#kept += bytes
    if (this.#kept > MAX_KEPT) this.#from.pause()
    this.#waiting.push({ dueAt: performance.now() + this.#delayMs, bytes, deliver })
    this.#flow()
  }

  #flow(): void {
    clearTimeout(this.#timer)
    while (!this.#isHeld) {
      const [next] = this.#waiting
      if (next === undefined) break
      const leftMs = this.#delayMs === 0 ? 0 : next.dueAt - performance.now()
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#flow(), leftMs)
        return
      }
      this.#waiting.shift()
      this.#kept -= next.bytes
      next.deliver()
    }
    if (this.#kept <= MAX_KEPT) this.#from.resume()
  }
}

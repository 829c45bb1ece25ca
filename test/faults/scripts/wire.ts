import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { CLIENT_SETTINGS, type RedisClient } from '../../../lib/redis.ts'

/** What a cache sends, told apart by what its scripts say. */
export type Command = 'read' | 'sync' | 'invalidate' | 'store'

export interface WireOptions {
  readonly port: number
  /** Hears no announcements: it cannot subscribe. */
  readonly isDeaf: boolean
}

/** How the text of a script gives it away. */
const SCRIPTS: readonly (readonly [command: Command, sign: string])[] = [
  ['invalidate', "'PUBLISH'"],
  ['sync', "status = 'reset'"],
  ['store', "return 'stored'"],
]

/** Longer than a command takes to be sent on a busy machine (ms). */
const SENT_MS = 10_000

/** A gate that answers to one kind of command wait behind. */
export interface Hold {
  /** Resolves when the server has answered one, which the cache does not know. */
  held(): Promise<void>
  /** Let all answers through, those to come included. */
  release(): void
}

/** The connection of one cache, on which a script decides what arrives, and when. */
export class Wire {
  readonly #redis: Redis
  readonly #isDeaf: boolean
  readonly #kinds = new Map<string, Command>()
  readonly #holds = new Map<Command, Gate>()
  readonly #failing = new Set<Command>()

  constructor({ port, isDeaf }: WireOptions) {
    this.#isDeaf = isDeaf
    this.#redis = new Redis({ ...CLIENT_SETTINGS, lazyConnect: false, host: '127.0.0.1', port })
    this.#redis.on('error', () => {})
  }

  /** What the cache is given. */
  get client(): RedisClient {
    return new Proxy(this.#redis, {
      get: (redis, name) => {
        if (name === 'mgetBuffer') return (...keys: string[]) => this.#send('read', () => redis.mgetBuffer(...keys))
        if (name === 'evalsha') return this.#evalsha
        if (name === 'eval') return this.#eval
        if (name === 'duplicate' && this.#isDeaf) return deaf
        const value: unknown = Reflect.get(redis, name)
        return typeof value === 'function' ? value.bind(redis) : value
      },
    }) as unknown as RedisClient
  }

  /** The server does what it is told from now on, but its answers wait. */
  hold(command: Command): Hold {
    const gate = new Gate()
    this.#holds.set(command, gate)
    return {
      held: () => gate.held(command),
      release: () => {
        this.#holds.delete(command)
        gate.open()
      },
    }
  }

  /** Let all commands of this kind fail from now on. */
  fail(command: Command): void {
    this.#failing.add(command)
  }

  /** End the connection for good. */
  cut(): void {
    this.#redis.disconnect()
  }

  async #send<T>(command: Command | undefined, run: () => Promise<T>): Promise<T> {
    if (command === undefined) return run()
    if (this.#failing.has(command)) throw new Error(`The wire fails: ${command}`)
    const gate = this.#holds.get(command)
    const answer = await run()
    await gate?.pass()
    return answer
  }

  readonly #evalsha: RedisClient['evalsha'] = (sha, keys, ...args) => {
    const command = this.#kinds.get(sha)
    // The text that comes then says which one it is.
    if (command === undefined && !this.#kinds.has(sha)) return Promise.reject(new Error('NOSCRIPT'))
    return this.#send(command, () => this.#redis.evalsha(sha, keys, ...args))
  }

  readonly #eval: RedisClient['eval'] = (text, keys, ...args) => {
    const command = SCRIPTS.find(([, sign]) => text.includes(sign))?.[0]
    if (command !== undefined) this.#kinds.set(createHash('sha1').update(text).digest('hex'), command)
    return this.#send(command, () => this.#redis.eval(text, keys, ...args))
  }
}

class Gate {
  readonly #opened: Promise<void>
  #open: () => void = () => {}
  #waiting = 0

  constructor() {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  open(): void {
    this.#open()
  }

  pass(): Promise<void> {
    this.#waiting++
    return this.#opened
  }

  async held(command: Command): Promise<void> {
    const startedAt = performance.now()
    while (this.#waiting === 0) {
      if (performance.now() - startedAt > SENT_MS) throw new Error(`No ${command} was sent`)
      await sleep(1)
    }
  }
}

function deaf(): never {
  throw new Error('This process cannot subscribe')
}

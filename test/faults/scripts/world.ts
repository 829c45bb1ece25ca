import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { type Cache, createCache } from '../../../lib/cache.ts'
import type { CacheOptions } from '../../../lib/cache-options.ts'
import type { Duration } from '../../../lib/duration.ts'
import { CacheError } from '../../../lib/errors.ts'
import type { Targets } from '../../../lib/targets.ts'
import { cacheMiddleware } from '../../../middleware/index.ts'
import { listen, makeListener, type Running } from '../../support/app.ts'
import { askRedis } from '../../support/ask-redis.ts'
import { exchange } from '../../support/http-client.ts'
import { ageRegistry } from '../../support/redis-registry.ts'
import { type RedisServer, startRedis } from '../../support/redis-server.ts'
import { History, instant, type StaleRead } from '../history.ts'
import { Wire } from './wire.ts'

/** A database, a Redis and the caches of some processes: one scripted course of events, and what it has shown. */
export class World {
  /** What was promised and not kept, in words. */
  readonly breaches: string[] = []
  readonly #history = new History((stale) => this.breaches.push(staleText(stale)))
  readonly #versions = new Map<number, number>()
  readonly #processes: Process[] = []
  readonly #server: RedisServer
  readonly #namespace = 'script'
  #isEmpty = false

  private constructor(server: RedisServer) {
    this.#server = server
  }

  /** Run a script in a world of its own; resolves with what was promised and not kept. */
  static async run(script: (world: World) => Promise<void>): Promise<readonly string[]> {
    const world = new World(await startRedis())
    try {
      // An old registry: a young one would have every invalidation wait for a lease.
      await world.ask((client) => ageRegistry(client, world.metadata('r')))
      await script(world)
      return world.breaches
    } finally {
      await Promise.all(world.#processes.map((process) => process.end()))
      await world.#server.stop()
    }
  }

  get server(): RedisServer {
    return this.#server
  }

  /** Start a process, connected and knowing nothing. */
  async process({ isDeaf = false, negativeTtl = 0, ...options }: ProcessOptions = {}): Promise<Process> {
    const wire = new Wire({ port: this.#server.port, isDeaf })
    const cache = createCache({
      redis: wire.client,
      namespace: this.#namespace,
      leaseMs: 200,
      // A busy machine is no reason for a miss.
      deadlineMs: 5_000,
      logger: { info() {}, warn() {} },
      ...options,
    })
    const process = new Process({ world: this, cache, wire, name: String(this.#processes.length), negativeTtl })
    this.#processes.push(process)
    await cache.ready()
    return process
  }

  versionOf(key: number): number {
    return this.#versions.get(key) ?? 0
  }

  /** Let there be nothing where nothing was committed: version 0 is no value at all. */
  startEmpty(): void {
    this.#isEmpty = true
  }

  /** What a loader finds. */
  find(key: number): number | undefined {
    return this.#versions.get(key) ?? (this.#isEmpty ? undefined : 0)
  }

  /** Commit a new version. */
  commit(key = 0): void {
    this.#versions.set(key, this.versionOf(key) + 1)
  }

  /** From now on nobody may read less than this version, by default what is committed. */
  promise(key = 0, process = 'script', version: number = this.versionOf(key)): void {
    this.#history.acknowledge({ key, version, at: instant(), process })
  }

  /** A read that began at `at` has given this version. */
  read(process: string, key: number, version: number, at: number): void {
    this.#history.read({ key, version, firstAt: at, lastAt: at, count: 1, process, source: '' })
  }

  /** Ask the Redis of all processes. */
  ask<T>(question: (client: Redis) => Promise<T>): Promise<T> {
    return askRedis(this.#server.port, question)
  }

  /** The name of metadata in Redis, by its letter. */
  metadata(letter: string): string {
    return `{${this.#namespace}:0}:${letter}`
  }

  /** Keep the history of invalidations; the function that comes back brings it back as it was, and nothing else. */
  async snapshot(): Promise<() => Promise<void>> {
    const dumps = await this.ask(async (client) => {
      const keys = await client.keys(this.metadata('[^r]'))
      return Promise.all(keys.map(async (key) => [key, await client.dumpBuffer(key)] as const))
    })
    return () =>
      this.ask(async (client) => {
        const transaction = client.multi()
        for (const [key, dump] of dumps) transaction.restore(key, 0, dump, 'REPLACE')
        await transaction.exec()
      })
  }

  /** Let the registry name no lease that is still held, as on a replica that lags behind. */
  async loseLeases(): Promise<void> {
    await this.ask(async (client) => {
      const members = await client.zrange(this.metadata('r'), 0, -1)
      for (const name of members) if (!name.startsWith('@')) await client.zadd(this.metadata('r'), 1, name)
    })
  }

  /** Where the history of invalidations stands. */
  token(): Promise<string | null> {
    return this.ask((client) => client.get(this.metadata('v')))
  }

  /** How many entries Redis keeps. */
  async stored(): Promise<number> {
    return (await this.ask((client) => client.keys(this.metadata('e:*')))).length
  }
}

export interface ProcessOptions
  extends Pick<CacheOptions, 'memory' | 'leaseMs' | 'deadlineMs' | 'partitions' | 'fallback' | 'staleIfRedisDown'> {
  readonly isDeaf?: boolean
  /** How long it remembers that there is nothing. */
  readonly negativeTtl?: Duration
}

interface Parts {
  readonly world: World
  readonly cache: Cache
  readonly wire: Wire
  readonly name: string
  readonly negativeTtl: Duration
}

/** A read whose loader or handler has read the database and goes on when told to. */
export interface HeldRead {
  /** Resolves when the loader has been called and has read. */
  readonly loading: Promise<void>
  finish(): Promise<number>
}

/** What happens in a write, before its commit and after it. */
export interface AroundCommit {
  readonly before?: () => Promise<void>
  readonly after?: () => Promise<void>
}

/** Longer than any step takes on a busy machine (ms). */
const VAIN_MS = 20_000

/** A cache, and an application that reads and writes through it. */
export class Process {
  readonly cache: Cache
  readonly wire: Wire
  readonly #world: World
  readonly #name: string
  readonly #negativeTtl: Duration
  #loaderHold: { readonly called: () => void; readonly until: Promise<void> } | undefined
  #server: Promise<Running> | undefined

  constructor({ world, cache, wire, name, negativeTtl }: Parts) {
    this.#world = world
    this.cache = cache
    this.wire = wire
    this.#name = name
    this.#negativeTtl = negativeTtl
  }

  /** Read an item through the cache. */
  async read(key = 0): Promise<number> {
    const at = instant()
    const options = { ttl: '1h', tags: [tagOf(key), 'all'], negativeTtl: this.#negativeTtl }
    const version = (await this.cache.remember(nameOf(key), options, () => this.#load(key))) ?? 0
    this.#world.read(this.#name, key, version, at)
    return version
  }

  /** The same over HTTP, through `cacheMiddleware`. */
  async readPage(key = 0): Promise<number> {
    const at = instant()
    const { port } = await (this.#server ??= this.#serve())
    const { status, text } = await exchange(port, { path: `/${key}` })
    if (status !== 200) throw new Error(`Answered with ${status}`)
    this.#world.read(this.#name, key, Number(text), at)
    return Number(text)
  }

  /** Read while the loader is held up. */
  holdRead(read: () => Promise<number> = () => this.read()): HeldRead {
    let [called, release] = [() => {}, () => {}]
    const loading = new Promise<void>((resolve) => {
      called = resolve
    })
    const until = new Promise<void>((resolve) => {
      release = resolve
    })
    this.#loaderHold = { called, until }
    const result = read()
    return {
      loading,
      finish: () => {
        release()
        return result
      },
    }
  }

  /** Read, and wait until Redis has what was read. */
  async fill(key = 0): Promise<void> {
    await this.read(key)
    await eventually('the fill is stored', async () => (await this.#world.stored()) > 0)
  }

  /** Hold the right to answer from memory. */
  async lease(key = 0): Promise<void> {
    const { store } = this.cache.engine
    await eventually('memory answers', async () => {
      await this.read(key)
      return store.peek(`V 1 ${nameOf(key)}`) !== undefined
    })
  }

  /** Lose the connection, and have a new one. */
  async reconnect(): Promise<void> {
    const { store } = this.cache.engine
    let wasLost = false
    this.wire.client.on('close', () => {
      wasLost = true
    })
    await this.#world.ask((client) => client.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
    await eventually('the connection is back', async () => wasLost && this.cache.engine.reachable)
    // It has been used, too.
    await store.get('V 1 unused')
  }

  /** Wait for a heartbeat: the next one comes a quarter of a lease later. */
  async heartbeat(): Promise<void> {
    const answer = this.wire.hold('sync')
    await answer.held()
    answer.release()
  }

  /** Lose the connection, and know it. */
  async leave(): Promise<void> {
    this.wire.cut()
    await eventually('the connection is lost', async () => !this.cache.engine.reachable)
  }

  /** Commit a new version and invalidate, by its own tag unless told otherwise; acknowledged when this resolves. */
  async write({ key = 0, ...targets }: Targets & { readonly key?: number } = {}): Promise<void> {
    this.#world.commit(key)
    await this.invalidate(Object.keys(targets).length === 0 ? { tags: [tagOf(key)] } : targets)
    this.#world.promise(key, this.#name)
  }

  /** Commit a new version and make the older ones stale: fresh they are not served any more. */
  async writeSoftly(): Promise<void> {
    this.#world.commit()
    await this.cache.invalidate({ tags: [tagOf(0)] }, { soft: true, timeoutMs: 10_000 })
    this.#world.promise(0, this.#name)
  }

  /** Change the database by a write that the cache knows of from its beginning to its end. */
  async change(write: () => Promise<void>): Promise<void> {
    await this.cache.change({ tags: [tagOf(0)] }, write)
    this.#world.promise(0, this.#name)
  }

  /** Commit a new version and set it. */
  async set(): Promise<void> {
    this.#world.commit()
    const version = this.#world.versionOf(0)
    const options = { ttl: '1h', tags: [tagOf(0), 'all'] }
    if (!(await this.cache.set(nameOf(0), version, options))) throw new Error('It was not set')
  }

  /** Commit a new version through the cache, which keeps it; `before` and `after` are done around the commit. */
  async writeThrough({ before, after }: AroundCommit = {}): Promise<void> {
    const options = { ttl: '1h', tags: [tagOf(0), 'all'] }
    let version = 0
    const isAcknowledged = await this.cache.write(nameOf(0), options, async () => {
      await before?.()
      this.#world.commit()
      version = this.#world.versionOf(0)
      await after?.()
      return version
    })
    if (!isAcknowledged) throw new Error('The write was not acknowledged')
    this.#world.promise(0, this.#name, version)
  }

  /** Commit a new version and invalidate while Redis does not answer: gone here, whatever the others know. */
  async writeUnconfirmed(): Promise<void> {
    this.#world.commit()
    try {
      await this.cache.invalidate({ tags: [tagOf(0)] }, { timeoutMs: 50 })
    } catch (error) {
      if (!(error instanceof CacheError && error.code === 'ERR_CACHE_UNCONFIRMED')) throw error
      this.#world.promise(0, this.#name)
      return
    }
    throw new Error('It was confirmed')
  }

  /** Invalidate, with all the time that a busy machine takes. */
  async invalidate(targets: Targets, ack: 'redis' | 'all' = 'all'): Promise<void> {
    await this.cache.invalidate(targets, { ack, timeoutMs: 10_000 })
  }

  async end(): Promise<void> {
    const server = await this.#server
    await server?.close()
    await this.cache.close()
    this.wire.cut()
  }

  /** What is committed, as soon as the script lets it go on. */
  async #load(key: number): Promise<number | undefined> {
    const hold = this.#loaderHold
    this.#loaderHold = undefined
    const version = this.#world.find(key)
    hold?.called()
    await hold?.until
    return version
  }

  #serve(): Promise<Running> {
    const middleware = cacheMiddleware({
      cache: this.cache,
      ttl: '1h',
      tags: (req) => [tagOf(Number(req.url?.slice(1))), 'all'],
    })
    return listen(
      makeListener('node:http', [middleware], async (req, res) => {
        res.end(String(await this.#load(Number(req.url?.slice(1)))))
      }),
    )
  }
}

/** Ask again and again until the condition holds. */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now()
  while (!(await holds())) {
    if (performance.now() - startedAt > VAIN_MS) throw new Error(`It never came true that ${what}`)
    await sleep(5)
  }
}

export function nameOf(key: number): string {
  return `item:${key}`
}

export function tagOf(key: number): string {
  return `one:${key}`
}

function staleText({ read, acknowledged }: StaleRead): string {
  const { key, version, process, lastAt } = read
  const late = (lastAt - acknowledged.at).toFixed(1)
  return `process ${process} read version ${version} of ${key}, ${late} ms after version ${acknowledged.version} was acknowledged`
}

import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { expect } from 'chai'
import { Redis as Redis5 } from 'ioredis'
import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis-6'
import RedisMock from 'ioredis-mock'
import sinon from 'sinon'
import { Bus, type Unreached, type Waited } from '../../lib/bus.ts'
import { SystemClock } from '../../lib/clock.ts'
import type { Entry } from '../../lib/entry.ts'
import { Events } from '../../lib/events.ts'
import { connectRedis, type RedisClient, type RedisOption } from '../../lib/redis.ts'
import { MemoryStore } from '../../lib/stores/memory.ts'
import { RedisStore, type RedisStoreOptions } from '../../lib/stores/redis.ts'
import { TieredStore } from '../../lib/stores/tiered.ts'
import type { Token } from '../../lib/tags.ts'
import { valueEntry } from '../support/entries.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { ageRegistry, sinceMember } from '../support/redis-registry.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

const SILENT = { info: () => {}, warn: () => {} }
const LEASE_MS = 400
/** How long a lease lasts in the registry, and what a busy machine may add. */
const LONGEST_MS = LEASE_MS * 1.1 + 10 + 250
const TOKEN: Token = { incarnation: '0123456789abcdef', seq: 7, nonce: '89abcdef' }
const TEXT = '0123456789abcdef:7:89abcdef'

/** The far end of the subscriptions of one bus. */
class Wire extends EventEmitter {
  readonly channels: string[] = []
  refusal: Error | undefined
  ended = 0

  async connect(): Promise<void> {}

  async subscribe(...channels: string[]): Promise<void> {
    if (this.refusal !== undefined) throw this.refusal
    this.channels.push(...channels)
  }

  disconnect(): void {
    this.ended++
  }
}

function newBus(catchUp: (partition: number, token: Token) => Promise<boolean> = async () => true) {
  const wires: Wire[] = []
  const sent: string[] = []
  const refusals: Error[] = []
  const bus = new Bus({
    prefix: 'p:',
    nodeId: 'me',
    subscriber: () => {
      const wire = new Wire()
      wire.refusal = refusals[0]
      wires.push(wire)
      return wire as unknown as RedisClient
    },
    reset: () => {},
    publish: (channel, message) => sent.push(`${channel} ${message}`),
    catchUp,
    monotonic: () => Date.now(),
  })
  return { bus, wires, sent, refusals }
}

/** Let everything happen that waits for nothing from outside. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

async function opened(bus: Bus, wires: readonly Wire[]): Promise<Wire> {
  bus.open()
  const wire = wires.at(-1) as Wire
  wire.emit('ready')
  await settled()
  return wire
}

describe('Bus', () => {
  let timers: sinon.SinonFakeTimers
  beforeEach(() => {
    timers = sinon.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
  })
  afterEach(() => timers.restore())

  /** What has become of a wait, seen from outside. */
  function watch(promise: Promise<Waited>): { result: Waited | undefined; at: number | undefined } {
    const seen: { result: Waited | undefined; at: number | undefined } = { result: undefined, at: undefined }
    void promise.then((result) => {
      seen.result = result
      seen.at = Date.now()
    })
    return seen
  }

  const unreached = (processes: Readonly<Record<string, number>>, blindUntil = 0): Unreached => ({
    token: TOKEN,
    blindUntil,
    processes: new Map(Object.entries(processes)),
  })
  const receipt = (wire: Wire, from: string, text: string = TEXT, partition = 0): boolean =>
    wire.emit('message', 'p:ack:me', `${partition} ${text} ${from}`)

  it('subscribes to announcements and to receipts for this process, once', async () => {
    const { bus, wires } = newBus()
    const wire = await opened(bus, wires)
    bus.open()
    expect(wires).to.have.length(1)
    expect(wire.channels).to.deep.equal(['p:bus', 'p:ack:me'])
  })

  it('waits for nobody where nobody holds a lease', async () => {
    const { bus } = newBus()
    const seen = watch(bus.collect(0, TOKEN.nonce).wait(unreached({}), 800))
    await settled()
    expect(seen).to.deep.equal({ result: 'receipts', at: 0 })
  })

  it('stops waiting once every process has sent a receipt', async () => {
    const { bus, wires } = newBus()
    const wire = await opened(bus, wires)
    const seen = watch(bus.collect(0, TOKEN.nonce).wait(unreached({ a: 440, b: 440 }), 800))
    receipt(wire, 'a')
    receipt(wire, 'a')
    await settled()
    expect(seen.result).to.equal(undefined)
    receipt(wire, 'b')
    await settled()
    expect(seen).to.deep.equal({ result: 'receipts', at: 0 })
  })

  it('counts a receipt that comes before the answer to the invalidation', async () => {
    const { bus, wires } = newBus()
    const wire = await opened(bus, wires)
    const receipts = bus.collect(0, TOKEN.nonce)
    receipt(wire, 'a')
    const seen = watch(receipts.wait(unreached({ a: 440 }), 800))
    await settled()
    expect(seen.result).to.equal('receipts')
  })

  it('waits for a process without a receipt until its lease has ended', async () => {
    const { bus, wires } = newBus()
    const wire = await opened(bus, wires)
    const seen = watch(bus.collect(0, TOKEN.nonce).wait(unreached({ a: 440, b: 300 }), 800))
    receipt(wire, 'a')
    await timers.tickAsync(299)
    expect(seen.result).to.equal(undefined)
    await timers.tickAsync(10)
    expect(seen.result).to.equal('leases')
  })

  it('waits for those it cannot know, whatever receipts come', async () => {
    const { bus, wires } = newBus()
    const wire = await opened(bus, wires)
    const seen = watch(bus.collect(0, TOKEN.nonce).wait(unreached({ a: 100 }, 250), 800))
    receipt(wire, 'a')
    await timers.tickAsync(249)
    expect(seen.result).to.equal(undefined)
    await timers.tickAsync(10)
    expect(seen.result).to.equal('leases')
  })

  it('gives up when the patience of the caller ends first', async () => {
    const { bus } = newBus()
    const seen = watch(bus.collect(0, TOKEN.nonce).wait(unreached({ a: 440 }), 100))
    await timers.tickAsync(110)
    expect(seen.result).to.equal('late')
  })

  it('takes no receipt for another one, and nonsense for none', async () => {
    const { bus, wires } = newBus()
    const wire = await opened(bus, wires)
    const receipts = bus.collect(0, TOKEN.nonce)
    const strays = (): void => {
      receipt(wire, 'a', '0123456789abcdef:8:89abcdef')
      receipt(wire, 'a', 'fedcba9876543210:7:89abcdef')
      receipt(wire, 'a', '0123456789abcdef:7:00000000')
      receipt(wire, 'a', TEXT, 1)
      receipt(wire, 'b')
      for (const nonsense of ['', 'a', `0 ${TEXT}`, `0 ${TEXT} a b`, `-1 ${TEXT} a`, `0 ${TEXT} ${'a'.repeat(65)}`]) {
        wire.emit('message', 'p:ack:me', nonsense)
        wire.emit('message', 'p:bus', nonsense)
      }
      wire.emit('message', 'p:ack:me', Buffer.from(`0 ${TEXT} a`))
    }
    strays()
    const seen = watch(receipts.wait(unreached({ a: 440 }), 800))
    strays()
    await timers.tickAsync(439)
    expect(seen.result).to.equal(undefined)
  })

  it('keeps no more early receipts than it can use', async () => {
    const { bus, wires } = newBus()
    const wire = await opened(bus, wires)
    const receipts = bus.collect(0, TOKEN.nonce)
    for (let stranger = 0; stranger < 1_100; stranger++) receipt(wire, `x${stranger}`)
    receipt(wire, 'a')
    const seen = watch(receipts.wait(unreached({ a: 440 }), 800))
    await settled()
    expect(seen.result).to.equal(undefined)
    receipt(wire, 'a')
    await settled()
    expect(seen.result).to.equal('receipts')
  })

  it('asks again for receipts that may have gone out before it was subscribed', async () => {
    const { bus, wires, sent } = newBus()
    const [early, late] = [bus.collect(0, TOKEN.nonce), bus.collect(1, TOKEN.nonce)]
    void early.wait(unreached({ a: 440 }), 800)
    expect(sent).to.deep.equal([])
    await opened(bus, wires)
    expect(sent).to.deep.equal([`p:bus 0 ${TEXT} me`])
    void late.wait(unreached({ a: 440 }), 800)
    expect(sent.slice(1)).to.deep.equal([`p:bus 1 ${TEXT} me`])
  })

  it('asks nobody again where all can be heard, and after the end', async () => {
    const { bus, wires, sent } = newBus()
    const wire = await opened(bus, wires)
    const receipts = bus.collect(0, TOKEN.nonce)
    void receipts.wait(unreached({ a: 440 }), 800)
    receipts.end()
    wire.emit('close')
    wire.emit('ready')
    await settled()
    expect(sent).to.deep.equal([])
  })

  it('sends a receipt once this process has caught up, never before', async () => {
    let caughtUp: (value: boolean) => void = () => {}
    const asked: unknown[] = []
    const { bus, wires, sent } = newBus((...question) => {
      asked.push(question)
      return new Promise((resolve) => {
        caughtUp = resolve
      })
    })
    const wire = await opened(bus, wires)
    wire.emit('message', 'p:bus', `3 ${TEXT} them`)
    await settled()
    expect(asked).to.deep.equal([[3, TOKEN]])
    expect(sent).to.deep.equal([])
    caughtUp(true)
    await settled()
    expect(sent).to.deep.equal([`p:ack:them 3 ${TEXT} me`])
  })

  it('sends no receipt where this process cannot catch up, nor for itself', async () => {
    const answers = [async () => false, async () => Promise.reject(new Error('Redis is away'))]
    const { bus, wires, sent } = newBus(() => (answers.shift() as () => Promise<boolean>)())
    const wire = await opened(bus, wires)
    wire.emit('message', 'p:bus', `0 ${TEXT} them`)
    wire.emit('message', 'p:bus', `0 ${TEXT} them`)
    wire.emit('message', 'p:bus', `0 ${TEXT} me`)
    await settled()
    expect(answers).to.have.length(0)
    expect(sent).to.deep.equal([])
  })

  it('subscribes anew after the link was lost, and after a suspension', async () => {
    const { bus, wires } = newBus()
    const wire = await opened(bus, wires)
    wire.emit('close')
    wire.emit('ready')
    await settled()
    expect(wire.channels).to.have.length(4)
    bus.suspend()
    expect(wire.ended).to.equal(1)
    await opened(bus, wires)
    expect(wires[1]?.channels).to.have.length(2)
  })

  it('ends for good where subscribing is refused, not where the link was lost', async () => {
    const { bus, wires, refusals } = newBus()
    refusals.push(new Error('Connection is closed.'))
    const wire = await opened(bus, wires)
    expect(wire.ended).to.equal(0)
    wire.refusal = Object.assign(new Error('NOPERM'), { name: 'ReplyError' })
    wire.emit('ready')
    await settled()
    expect(wire.ended).to.equal(1)
    bus.open()
    expect(wires).to.have.length(1)
  })

  it('is no bus, and harms nobody, where no connection can be made', async () => {
    const bus = new Bus({
      prefix: 'p:',
      nodeId: 'me',
      subscriber: () => {
        throw new TypeError('client.duplicate is not a function')
      },
      reset: () => {},
      publish: () => {},
      catchUp: async () => true,
      monotonic: () => Date.now(),
    })
    bus.open()
    bus.reset()
    const seen = watch(bus.collect(0, TOKEN.nonce).wait(unreached({ a: 440 }), 800))
    await timers.tickAsync(450)
    expect(seen.result).to.equal('leases')
  })
})

/** One process: memory in front of Redis. */
interface Process {
  readonly redis: RedisStore
  readonly tiers: TieredStore
}

const open: TieredStore[] = []
const clients: { disconnect(): void }[] = []
const children: ChildProcess[] = []
let namespaces = 0

function newProcess(redis: RedisOption, options: Partial<RedisStoreOptions> = {}): Process {
  const clock = new SystemClock()
  const store = new RedisStore({
    connection: connectRedis(redis, () => {}),
    namespace: `bus-${namespaces}`,
    // Long, because a test machine may be busy.
    deadlineMs: 2_000,
    leaseMs: LEASE_MS,
    compressAbove: 1024,
    clock,
    events: new Events(SILENT),
    ...options,
  })
  const memory = new MemoryStore({ maxBytes: 1_000_000, clock, ledgerOf: (key) => store.ledger(key) })
  const tiers = new TieredStore({ memory, redis: store, clock, staleIfRedisDown: 0 })
  open.push(tiers)
  return { redis: store, tiers }
}

async function started(redis: RedisOption, options: Partial<RedisStoreOptions> = {}): Promise<Process> {
  const process = newProcess(redis, options)
  await process.redis.ready()
  return process
}

function handedIn<C extends { disconnect(): void }>(client: C): C {
  clients.push(client)
  return client
}

async function closeAll(): Promise<void> {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(open.splice(0).map((store) => store.close()))
  for (const client of clients.splice(0)) client.disconnect()
  namespaces++
}

async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const until = Date.now() + 8_000
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function entryOf({ redis }: Process, key = 'post:1'): Entry {
  return valueEntry(redis, new SystemClock().now(), key, { tags: ['post'] })
}

/** Put an entry where this process serves it from memory, under a lease. */
async function remember(process: Process, key = 'post:1'): Promise<Entry> {
  // A fill follows a read, which brings what others have invalidated.
  await process.redis.confirm(entryOf(process, key).key)
  const entry = entryOf(process, key)
  expect(await process.tiers.set(entry)).to.equal('stored')
  expect(process.tiers.get(entry.key)).to.deep.equal(entry)
  return entry
}

/** How long an invalidation takes until it is acknowledged by all (ms). */
async function acknowledged({ tiers }: Process): Promise<number> {
  const startedAt = performance.now()
  const targets = { tags: ['t:post'], patterns: [], all: false }
  await tiers.invalidate(targets, { ack: 'all', timeoutMs: 2 * LEASE_MS + 1_000 })
  return performance.now() - startedAt
}

describe('acknowledgement by all on ioredis-mock', () => {
  it('comes, sooner or later', async () => {
    const mock = new RedisMock({ host: `mock-${namespaces}` }) as unknown as RedisClient
    const [a, b] = [await started(mock), await started(mock)]
    const entry = await remember(b)
    await acknowledged(a)
    // The TIME of the mock is wrong by up to a second: what it says of leases, and so of memory, means nothing.
    expect(await b.redis.get(entry.key)).to.equal(undefined)
    await closeAll()
  })
})

describeWithRedis('acknowledgement by all', () => {
  let server: RedisServer
  let admin: Redis5

  before(async () => {
    server = await startRedis()
    admin = new Redis5(server.url)
  })
  after(async () => {
    admin.disconnect()
    await server.stop()
  })
  afterEach(closeAll)

  const prefix = (): string => `{bus-${namespaces}}:`
  const registry = (partition = 0): string => `{bus-${namespaces}:${partition}}:r`
  /** The registry as it is once it is older than any lease. */
  const settle = async (key: string = registry()): Promise<unknown> => ageRegistry(admin, key)
  const listeners = async (): Promise<number> => ((await admin.pubsub('NUMSUB', `${prefix()}bus`)) as number[])[1] ?? 0

  /** Two processes with memory in use whose buses are open. */
  async function pair(redis: () => RedisOption, other = redis): Promise<readonly [Process, Process]> {
    const [a, b] = [await started(redis()), await started(other())]
    await remember(a)
    await remember(b)
    await settle()
    return [a, b]
  }

  /** The shortest of several tries; after each, the other process serves nothing of before. */
  async function best(a: Process, b: Process): Promise<number> {
    let shortest = Number.POSITIVE_INFINITY
    for (let attempt = 0; attempt < 5; attempt++) {
      const entry = await remember(b)
      const took = await acknowledged(a)
      expect(b.tiers.get(entry.key)).not.to.deep.equal(entry)
      expect(await b.tiers.get(entry.key)).to.equal(undefined)
      shortest = Math.min(shortest, took)
    }
    return shortest
  }

  const kinds: Readonly<Record<string, () => RedisOption>> = {
    'a URL': () => server.url,
    'an ioredis 5 client': () => handedIn(new Redis5(server.url)),
    'an ioredis 6 client': () => handedIn(new Redis6(server.url)),
    'options with a database': () => ({ port: server.port, db: 0 }),
    'a client that does not subscribe again': () => handedIn(new Redis5(server.url, { autoResubscribe: false })),
  }
  for (const [kind, option] of Object.entries(kinds)) {
    it(`comes long before the lease of the other process ends (${kind})`, async () => {
      const [a, b] = await pair(option)
      await eventually('subscribed', async () => (await listeners()) === 2)
      expect(await best(a, b)).to.be.below(LEASE_MS / 2)
    })
  }

  it('comes fast from a process that has not subscribed yet and uses no memory', async () => {
    const b = await started(server.url)
    await remember(b)
    await settle()
    await eventually('subscribed', async () => (await listeners()) === 1)
    const tries: number[] = []
    for (let attempt = 0; attempt < 5; attempt++) {
      const writer = await started(server.url)
      await remember(b)
      tries.push(await acknowledged(writer))
    }
    expect(Math.min(...tries)).to.be.below(LEASE_MS / 2)
  })

  it('comes fast through a keyPrefix, and strangers of another prefix hear nothing', async () => {
    const client = (keyPrefix: string) => () => handedIn(new Redis5(server.url, { keyPrefix, db: 3 }))
    const [a, b] = [await started(client('app:')()), await started(client('app:')())]
    await remember(b)
    await admin.select(3)
    await settle(`app:${registry()}`)
    await admin.select(0)
    const channel = `app:3:${prefix()}bus`
    await eventually('subscribed', async () => ((await admin.pubsub('NUMSUB', channel)) as number[])[1] === 1)
    expect(await best(a, b)).to.be.below(LEASE_MS / 2)
    expect(await admin.pubsub('CHANNELS', `${prefix()}*`)).to.deep.equal([])
  })

  it('comes fast for everything, which begins a new incarnation, and for several partitions', async () => {
    const [a, b] = [await started(server.url, { partitions: 4 }), await started(server.url, { partitions: 4 })]
    const tries: number[] = []
    for (let attempt = 0; attempt < 5; attempt++) {
      const entries = [await remember(b, 'post:1'), await remember(b, 'post:2'), await remember(b, 'post:3')]
      for (let partition = 0; partition < 4; partition++) await settle(registry(partition))
      const startedAt = performance.now()
      await a.tiers.invalidate({ tags: [], patterns: [], all: true }, { ack: 'all', timeoutMs: 2_000 })
      tries.push(performance.now() - startedAt)
      for (const { key } of entries) expect(await b.tiers.get(key)).to.equal(undefined)
    }
    expect(Math.min(...tries)).to.be.below(LEASE_MS / 2)
  })

  it('comes fast for many invalidations at once', async () => {
    const [a, b] = await pair(() => server.url)
    await eventually('subscribed', async () => (await listeners()) === 2)
    const tries: number[] = []
    for (let attempt = 0; attempt < 3; attempt++) {
      await remember(b)
      tries.push(Math.max(...(await Promise.all(Array.from({ length: 40 }, () => acknowledged(a))))))
    }
    expect(Math.min(...tries)).to.be.below(LEASE_MS / 2)
  })

  it('waits for the age of a registry that was lost, whatever receipts come', async () => {
    const [a, b] = await pair(() => server.url)
    await eventually('subscribed', async () => (await listeners()) === 2)
    await admin.del(registry())
    await b.redis.confirm('V 1 post:1')
    expect(await acknowledged(a)).to.be.above(LEASE_MS * 0.9)
  })

  it('waits for no longer than a lease after the clock of the server was set back', async () => {
    const [a, b] = await pair(() => server.url)
    await ageRegistry(admin, registry(), Date.now() + 3_600_000)
    const entry = await remember(b)
    expect(await acknowledged(a)).to.be.within(LEASE_MS * 0.9, LONGEST_MS)
    expect(await b.tiers.get(entry.key)).to.equal(undefined)
    expect(Number(await admin.zscore(registry(), await sinceMember(admin)))).to.be.at.most(Date.now())
  })

  describe('when messages do not arrive', () => {
    /** Whether the lease that a process holds now has ended when the invalidation is acknowledged. */
    async function expectLeaseWaitedFor(a: Process, b: Process): Promise<void> {
      const entry = await remember(b)
      const { provenUntil } = b.redis.ledger(entry.key)
      const took = await acknowledged(a)
      expect(performance.now()).to.be.above(provenUntil)
      expect(took).to.be.below(LONGEST_MS)
      expect(await b.tiers.get(entry.key)).to.equal(undefined)
    }

    beforeEach(async () => {
      await admin.call('ACL', 'SETUSER', 'mute', 'on', '>pw', '~*', '+@all', 'resetchannels')
    })
    const mute = (): RedisOption => ({ port: server.port, username: 'mute', password: 'pw' })

    it('waits for the lease of a process that may not subscribe', async () => {
      await expectLeaseWaitedFor(...(await pair(() => server.url, mute)))
    })

    it('waits for the lease where the invalidation may not be published', async () => {
      const [a, b] = await pair(mute, () => server.url)
      await expectLeaseWaitedFor(a, b)
      expect(a.redis.reachable).to.equal(true)
    })

    it('is fast again after the subscriptions were cut', async () => {
      const [a, b] = await pair(() => server.url)
      await eventually('subscribed', async () => (await listeners()) === 2)
      await admin.client('KILL', 'TYPE', 'pubsub')
      await acknowledged(a)
      await eventually('subscribed again', async () => (await listeners()) === 2)
      expect(await best(a, b)).to.be.below(LEASE_MS / 2)
    })

    it('waits for the lease of a process that has heard of it but cannot catch up', async () => {
      const client = handedIn(new Redis5(server.url))
      const [a, b] = await pair(
        () => server.url,
        () => client,
      )
      await eventually('subscribed', async () => (await listeners()) === 2)
      const entry = await remember(b)
      let answer: () => void = () => {}
      const held = new Promise<void>((resolve) => {
        answer = resolve
      })
      const send = client.evalsha.bind(client)
      sinon.stub(client, 'evalsha').callsFake((async (...args: Parameters<typeof send>) => {
        await held
        return send(...args)
      }) as typeof client.evalsha)
      const pending = acknowledged(a)
      const first = await Promise.race([pending.then(() => 'acknowledged'), leaseEnd(b, entry)])
      expect(first).to.equal('lease ended')
      answer()
      await pending
      expect(await b.tiers.get(entry.key)).to.equal(undefined)
    })

    /** Resolves when memory does not answer any more. */
    async function leaseEnd(process: Process, entry: Entry): Promise<string> {
      await eventually('lease ended', () => process.tiers.get(entry.key) !== entry)
      return 'lease ended'
    }
  })

  it('is not disturbed by messages that are doubled, old or nonsense', async () => {
    const [a, b] = await pair(() => server.url)
    await eventually('subscribed', async () => (await listeners()) === 2)
    const echo = handedIn(new Redis5(server.url))
    await echo.psubscribe(`${prefix()}*`)
    const heard: (readonly [channel: string, message: string])[] = []
    echo.on('pmessage', (_pattern: string, channel: string, message: string) => {
      if (heard.length < 4) heard.push([channel, message])
    })
    await best(a, b)
    await eventually('heard', () => heard.length === 4)
    expect(heard.map(([channel]) => channel.slice(prefix().length).slice(0, 3))).to.include.members(['bus', 'ack'])
    for (const [channel, message] of heard) {
      for (const text of [message, message, message.slice(1), `9999${message.slice(1)}`, '', '\u{1f600}']) {
        await admin.publish(channel, text)
      }
    }
    expect(await best(a, b)).to.be.below(LEASE_MS / 2)
    expect(b.redis.stats().errors).to.equal(0)
  })

  it('takes no receipt from a process that has passed the number of the token in another history', async () => {
    const [a, b] = await pair(() => server.url)
    await eventually('subscribed', async () => (await listeners()) === 2)
    await acknowledged(a)
    const key = entryOf(b).key
    await b.redis.confirm(key)
    const { incarnation, seq, nonce } = b.redis.ledger(key).token
    const judge = handedIn(new Redis5(server.url))
    const receipts: string[] = []
    await judge.psubscribe(`${prefix()}ack:judge`)
    judge.on('pmessage', (_pattern: string, _channel: string, message: string) => receipts.push(message))
    await admin.publish(`${prefix()}bus`, `0 ${incarnation}:${seq}:00000000 judge`)
    await admin.publish(`${prefix()}bus`, `0 ${incarnation}:${seq + 9}:${nonce} judge`)
    await admin.publish(`${prefix()}bus`, `0 0000000000000000:0:00000000 judge`)
    await admin.publish(`${prefix()}bus`, `0 ${incarnation}:${seq}:${nonce} judge`)
    await eventually('receipts of both', () => receipts.length >= 2)
    // Whatever was asked for before has been answered by now: a process answers after at most one round trip.
    await Promise.all([a.redis.confirm(key), b.redis.confirm(key)])
    for (const message of receipts) expect(message.startsWith(`0 ${incarnation}:${seq}:${nonce} `)).to.equal(true)
  })

  describe('with a process of its own', () => {
    const PROGRAM = `
      const [from, options] = [process.argv[1], JSON.parse(process.argv[2])]
      const load = (path) => import(new URL(path, from).href)
      const { SystemClock } = await load('../../lib/clock.ts')
      const { Events } = await load('../../lib/events.ts')
      const { connectRedis } = await load('../../lib/redis.ts')
      const { MemoryStore } = await load('../../lib/stores/memory.ts')
      const { RedisStore } = await load('../../lib/stores/redis.ts')
      const { TieredStore } = await load('../../lib/stores/tiered.ts')
      const { valueEntry } = await load('../support/entries.ts')
      const { Redis } = await import('ioredis')
      const clock = new SystemClock()
      const client = options.handIn ? new Redis(options.url) : undefined
      const redis = new RedisStore({
        connection: connectRedis(client ?? options.url, () => {}), namespace: options.namespace, deadlineMs: 2000,
        leaseMs: options.leaseMs, compressAbove: false, clock, events: new Events({ info() {}, warn() {} }),
      })
      const memory = new MemoryStore({ maxBytes: 1e6, clock, ledgerOf: (key) => redis.ledger(key) })
      const store = new TieredStore({ memory, redis, clock, staleIfRedisDown: 0 })
      await redis.ready()
      const entry = valueEntry(redis, clock.now(), 'post:1', { tags: ['post'] })
      await store.set(entry)
      await redis.confirm(entry.key)
      // Used all the time, so that its lease goes on.
      const use = setInterval(() => store.get(entry.key), 20)
      process.on('message', async (message) => {
        if (message === 'get') process.send({ found: (await store.get(entry.key)) !== undefined })
        else {
          clearInterval(use)
          process.removeAllListeners('message')
          if (message === 'close') await store.close()
          client?.disconnect()
          process.disconnect()
        }
      })
      process.send({ ready: true })
    `

    async function child(options: { handIn?: boolean } = {}): Promise<ChildProcess> {
      const parameters = { url: server.url, namespace: `bus-${namespaces}`, leaseMs: LEASE_MS, ...options }
      const args = [
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        PROGRAM,
        import.meta.url,
        JSON.stringify(parameters),
      ]
      const process = spawn(globalThis.process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      children.push(process)
      await once(process, 'message')
      await settle()
      return process
    }

    it('waits for the lease of a process that is stopped, which serves nothing of before when it goes on', async () => {
      const [a, process] = [await started(server.url), await child()]
      await eventually('subscribed', async () => (await listeners()) === 1)
      const tries: number[] = []
      for (let attempt = 0; attempt < 5; attempt++) tries.push(await acknowledged(a))
      expect(Math.min(...tries)).to.be.below(LEASE_MS / 2)
      process.kill('SIGSTOP')
      const took = await acknowledged(a)
      expect(took).to.be.within(LEASE_MS / 2, LONGEST_MS)
      process.kill('SIGCONT')
      const answer = once(process, 'message')
      process.send('get')
      expect(await answer).to.deep.equal([{ found: false }, undefined])
    })

    it('waits for a process that was killed until its lease has ended, and then never again', async () => {
      const [a, process] = [await started(server.url), await child()]
      process.kill('SIGKILL')
      await once(process, 'exit')
      expect(await acknowledged(a)).to.be.below(LONGEST_MS)
      expect(await acknowledged(a)).to.be.below(LEASE_MS / 2)
      expect(await admin.zcard(registry())).to.equal(1)
    })

    for (const [what, handIn, message] of [
      ['that has closed its cache', false, 'close'],
      ['that has closed its cache, on a client handed in', true, 'close'],
      ['that has ended the client it handed in, without closing the cache', true, 'end'],
    ] as const) {
      it(`lets a process end ${what}`, async () => {
        const process = await child({ handIn })
        await eventually('subscribed', async () => (await listeners()) === 1)
        process.send(message)
        expect(await once(process, 'exit')).to.deep.equal([0, null])
      })
    }
  })

  it('leaves no connection after the store was closed', async () => {
    const connections = async (): Promise<number> =>
      String(await admin.client('LIST'))
        .trim()
        .split('\n').length
    const client = handedIn(new Redis5(server.url))
    await client.ping()
    await eventually('alone', async () => (await connections()) === 2)
    const [a, b] = await pair(
      () => server.url,
      () => client,
    )
    await acknowledged(a)
    expect(await connections()).to.equal(5)
    await Promise.all([a.tiers.close(), b.tiers.close()])
    await eventually('gone', async () => (await connections()) === 2)
    expect(client.status).to.equal('ready')
    expect(await listeners()).to.equal(0)
  })
})

describeWithRedis('acknowledgement by all in a Cluster', () => {
  let cluster: RedisCluster

  before(async function () {
    this.timeout(30_000)
    cluster = await startCluster()
  })
  after(async () => {
    await closeAll()
    await cluster.stop()
  })
  afterEach(closeAll)

  const kinds: Readonly<Record<string, () => RedisOption>> = {
    'its nodes': () => ({ cluster: cluster.addresses }),
    'an ioredis 6 client': () => handedIn(new Cluster6([...cluster.addresses])),
  }
  for (const [kind, option] of Object.entries(kinds)) {
    it(`comes long before the leases of the other process end (${kind})`, async () => {
      const [a, b] = [await started(option()), await started(option())]
      await remember(a)
      const tries: number[] = []
      // The registries are young at first, and only their age helps against that.
      await eventually('old registries', async () => {
        const entry = await remember(b)
        tries.push(await acknowledged(a))
        expect(await b.tiers.get(entry.key)).to.equal(undefined)
        return tries.length >= 5
      })
      expect(Math.min(...tries)).to.be.below(LEASE_MS / 2)
    })
  }
})

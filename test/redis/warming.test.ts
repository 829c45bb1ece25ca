import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { type Cache, createCache } from '../../lib/cache.ts'
import { CLAIM_MS } from '../../lib/warm-schedule.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const PROGRAM = fileURLToPath(new URL('../support/warmer.ts', import.meta.url))

/** A process that warms on schedule. */
interface Warmer {
  readonly process: ChildProcess
  readonly loaded: string[]
  /** What became of its first run. */
  first: string | undefined
}

describeWithRedis('processes that warm the same on schedule', function () {
  this.timeout(60_000)
  let server: RedisServer
  let warmers: Warmer[]
  let reader: Cache
  beforeEach(async () => {
    server = await startRedis()
    warmers = []
    reader = createCache({
      redis: server.url,
      namespace: 'warming',
      deadlineMs: 2_000,
      logger: { info() {}, warn() {} },
    })
    await reader.ready()
  })
  afterEach(async () => {
    await reader.close()
    await Promise.all(warmers.map(end))
    await server.stop()
  })

  function start(count: number, loadMs: number): Warmer {
    const { NODE_V8_COVERAGE: _theirs, ...env } = process.env
    const args = [server.url, 'warming', String(count), String(loadMs)]
    const warmer: Warmer = {
      process: fork(PROGRAM, args, { env, execArgv: ['--import', 'tsx'] }),
      loaded: [],
      first: undefined,
    }
    warmer.process.on('message', ({ loaded, first }: { readonly loaded?: string; readonly first?: string }) => {
      if (loaded !== undefined) warmer.loaded.push(loaded)
      warmer.first ??= first
    })
    warmers.push(warmer)
    return warmer
  }

  async function end({ process }: Warmer): Promise<void> {
    if (process.exitCode !== null || process.signalCode !== null) return
    process.kill('SIGKILL')
    await once(process, 'exit')
  }

  const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => `k${index}`)

  it('do it once between them', async () => {
    for (let index = 0; index < 3; index++) start(20, 20)
    await eventually(() => warmers.every(({ first }) => first !== undefined))
    const [whole, ...others] = warmers.toSorted((a, b) => b.loaded.length - a.loaded.length)
    await eventually(() => whole?.first === 'whole')
    expect(whole?.loaded).to.deep.equal(keys(20))
    for (const { loaded, first } of others) {
      expect(loaded).to.deep.equal([])
      expect(['running', 'recent']).to.include(first)
    }
    expect(await reader.getMany(keys(20))).to.deep.equal(keys(20))
  })

  it('go on where one of them was killed, and load nothing twice but what that was at', async () => {
    const first = start(200, 10)
    await eventually(() => first.loaded.length >= 20)
    const others = [start(200, 10), start(200, 10)]
    await eventually(() => others.every((other) => other.first === 'running'))
    await end(first)
    const killedAt = performance.now()
    await eventually(() => others.some(({ loaded }) => loaded.length > 0))
    // What they last heard of its claim, and some patience with a busy machine.
    expect(performance.now() - killedAt).to.be.lessThan(CLAIM_MS + 3_000)
    await eventually(async () => (await reader.getMany(keys(200))).every((value) => value !== undefined))
    const [next, idle] = others.toSorted((a, b) => b.loaded.length - a.loaded.length)
    expect(idle?.loaded).to.deep.equal([])
    const twice = next?.loaded.filter((key) => first.loaded.slice(0, -1).includes(key))
    expect(twice).to.deep.equal([])
  })

  it('wait while Redis is away, and leave the source alone', async () => {
    const cache = createCache({ redis: server.url, namespace: 'warming', logger: { info() {}, warn() {} } })
    const loaded: number[] = []
    const load = (): number => loaded.push(1)
    try {
      await cache.ready()
      await server.kill9()
      await eventually(() => !cache.stats().redis.connected)
      expect(await cache.warm([{ key: 'k', load }])).to.include({ skipped: 'away', total: 0 })
      const report = await cache.warm([{ key: 'k', load }], { name: 'popular', every: '1h' })
      expect(report).to.include({ skipped: 'away', interrupted: true })
      expect(loaded).to.deep.equal([])
      await server.restart()
      await eventually(() => cache.stats().warming[0]?.last?.warmed === 1)
      expect(loaded).to.have.length(1)
    } finally {
      await cache.close()
    }
  })

  it('stop where Redis is lost on the way, and go on when it is back', async () => {
    const cache = createCache({ redis: server.url, namespace: 'warming', logger: { info() {}, warn() {} } })
    const loaded: string[] = []
    const items = keys(9).map((key) => ({
      key,
      load: async () => {
        if (loaded.push(key) === 3) {
          await server.kill9()
          await eventually(() => !cache.stats().redis.connected)
        }
        return key
      },
    }))
    try {
      const report = await cache.warm(items, { name: 'popular', every: '1h', concurrency: 1 })
      expect(report).to.include({ total: 3, warmed: 2, unkept: 1, interrupted: true })
      await server.restart()
      await eventually(() => cache.stats().warming[0]?.last?.interrupted === false)
      expect(await cache.getMany(keys(9))).to.deep.equal(keys(9))
    } finally {
      await cache.close()
    }
  })
})

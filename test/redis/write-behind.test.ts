import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
// Its helpers are globals, which are no leak of a test.
import 'bullmq'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { Redis as Redis6 } from 'ioredis-6'
import { createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { CLIENT_SETTINGS, type RedisClient } from '../../lib/redis.ts'
import { writeBehind } from '../../strategies/index.ts'
import { askRedis } from '../support/ask-redis.ts'
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

/** Writes that fail now and then, over several keys: what was saved of each key, in order, and what is left. */
async function saveSome(redis: CacheOptions['redis']) {
  const logger = { info() {}, warn() {} }
  const cache = createCache({ redis, namespace: 'behind', deadlineMs: 2_000, leaseMs: 1_000, logger })
  const saved: Record<string, number[]> = {}
  let saves = 0
  const rows = writeBehind({
    cache,
    name: 'rows',
    key: (row: string) => `row:${row}`,
    backoffMs: 10,
    load: (row) => saved[row]?.at(-1) ?? null,
    save: (row, value: number | null) => {
      if (++saves % 4 === 0) throw new Error('busy')
      saved[row] = [...(saved[row] ?? []), value ?? -1]
    },
  })
  try {
    for (let value = 0; value < 4; value++) {
      await Promise.all(['a', 'b', 'c', 'd', 'e'].map((row) => rows.write(row, value)))
    }
    await rows.drain({ timeoutMs: 20_000 })
    return { saved, left: (await rows.stats()).current, read: await rows('e') }
  } finally {
    await cache.close()
  }
}

const inOrder = [0, 1, 2, 3]
const ALL = {
  saved: { a: inOrder, b: inOrder, c: inOrder, d: inOrder, e: inOrder },
  left: 0,
  read: 3,
} as const

describeWithRedis('writeBehind on a Cluster', function () {
  this.timeout(60_000)
  let cluster: RedisCluster
  before(async () => {
    cluster = await startCluster()
  })
  after(() => cluster.stop())

  it('saves everything in order, and keeps the queue in one slot', async () => {
    expect(await saveSome({ cluster: cluster.addresses })).to.deep.equal(ALL)
    const found = await Promise.all(
      cluster.nodes.map(({ port }) => askRedis(port, (client) => client.keys('{behind:write-behind:rows}*'))),
    )
    expect(found.filter((keys) => keys.length > 0)).to.have.length(1)
  })
})

describeWithRedis('writeBehind with a client that was handed in', function () {
  this.timeout(60_000)
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  for (const [what, make] of [
    ['with the settings of ioredis', () => new Redis(server.url)],
    ['with our settings', () => new Redis(server.url, CLIENT_SETTINGS)],
    ['with a prefix of keys', () => new Redis(server.url, { ...CLIENT_SETTINGS, keyPrefix: 'app:' })],
    ['of ioredis 6', () => new Redis6(server.url, CLIENT_SETTINGS) as unknown as Redis],
  ] as const) {
    it(`saves everything in order (${what}), and leaves it open`, async () => {
      const client = make()
      try {
        await askRedis(server.port, (admin) => admin.flushall())
        expect(await saveSome(client as unknown as RedisClient)).to.deep.equal(ALL)
        expect(await client.ping()).to.equal('PONG')
        const keys = await askRedis(server.port, (admin) => admin.keys('*'))
        const prefix = client.options.keyPrefix ?? ''
        expect(keys.filter((key) => !key.startsWith(`${prefix}{behind:`))).to.deep.equal([])
      } finally {
        client.disconnect()
      }
    })
  }

  it('needs no more rights than docs/redis.md says', async () => {
    const page = readFileSync(new URL('../../docs/redis.md', import.meta.url), 'utf8')
    const [, rights = ''] = /nocommands\n([^`]*)```/.exec(page) ?? []
    const [, more = ''] = /for BullMQ:\n\n```text\n([^`]*)```/.exec(page) ?? []
    const rules = `${rights} ${more}`.split(/\s+/).filter((rule) => rule !== '')
    const scope = ['resetkeys', '~{behind:*', 'resetchannels', '&{behind}:*', 'nocommands']
    await askRedis(server.port, (admin) => admin.acl('SETUSER', 'app', 'on', '>secret', ...scope, ...rules))
    const found = await saveSome({ host: '127.0.0.1', port: server.port, username: 'app', password: 'secret' })
    expect(found).to.deep.equal(ALL)
    expect(await askRedis(server.port, (admin) => admin.acl('LOG'))).to.deep.equal([])
  })
})

describe('a process with writeBehind', function () {
  this.timeout(60_000)

  const using = (redis: string, after: string) => `
    import { createCache } from './lib/cache.ts'
    import { writeBehind } from './strategies/index.ts'
    const logger = { info() {}, warn() {} }
    const cache = createCache({ redis: ${redis}, namespace: 'ends', deadlineMs: 2_000, leaseMs: 1_000, logger })
    const saved = []
    const options = { cache, name: 'rows', key: (row) => row, load: () => null, save: (row, value) => void saved.push(value) }
    const rows = writeBehind(options)
    ${after}`

  it('loads no BullMQ without Redis', async () => {
    const after = `
      await rows.write('a', 1)
      await cache.close()
      console.log(saved, Object.keys(globalThis).includes('__awaiter'))`
    expect(await outputOf(using('false', after))).to.equal('[ 1 ] false')
  })

  describeWithRedis('and Redis', () => {
    let server: RedisServer
    before(async () => {
      server = await startRedis()
    })
    after(() => server.stop())

    for (const worker of [true, false]) {
      it(`ends by itself once its cache is closed (worker: ${worker})`, async () => {
        const after = `
          const other = writeBehind({ ...options, name: 'other${worker}', worker: ${worker} })
          await other.write('a', 1)
          await cache.close()
          console.log(saved)`
        expect(await outputOf(using(`'${server.url}'`, after))).to.equal(worker ? '[ 1 ]' : '[]')
      })
    }

    it('is told how to install BullMQ where it is missing', async () => {
      const after = `
        const hide = 'export function resolve(name, context, next) { if (name === "bullmq") throw new Error("missing"); return next(name, context) }'
        const { register } = await import('node:module')
        register('data:text/javascript,' + encodeURIComponent(hide))
        const refusal = (work) => work.then(() => 'none', ({ code, message }) => code + ' ' + message)
        console.log(await refusal(rows.ready()))
        console.log(await refusal(rows.write('a', 1)))
        await cache.close()`
      const told = 'ERR_CACHE_MISSING_PEER writeBehind with Redis needs bullmq ^6. Run: npm install bullmq'
      expect(await outputOf(using(`'${server.url}'`, after))).to.equal(`${told}\n${told}`)
    })
  })
})

/** What a process of its own prints; one that does not end by itself is ended, and has printed too little. */
async function outputOf(script: string): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const late = setTimeout(() => child.kill('SIGKILL'), 40_000)
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += String(chunk)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(late)
  return code === 0 ? output.trim() : `${output} and ended with ${code}`
}

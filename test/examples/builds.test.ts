import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import supertest from 'supertest'
import { createBuildsApp } from '../../examples/builds/app.ts'
import { buildRepository } from '../../examples/builds/database/builds.ts'
import { MIGRATIONS } from '../../examples/builds/database/migrations.ts'
import { seedBuilds } from '../../examples/builds/database/seed.ts'
import { type RunningBuilds, startBuilds } from '../../examples/builds/start.ts'
import { SqlDatabase } from '../../examples/shared/sql-database.ts'
import { type Cache, createCache } from '../../middleware/index.ts'
import { askRedis } from '../support/ask-redis.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const MAIN = new URL('../../examples/builds/main.ts', import.meta.url).pathname

describe('the builds example', function () {
  this.timeout(30_000)
  let directory: string

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'cachewell-builds-'))
  })

  after(() => {
    rmSync(directory, { recursive: true })
  })

  describe('its routes', () => {
    let database: SqlDatabase
    let clock: FakeClock
    let cache: Cache
    let server: Server
    let request: ReturnType<typeof supertest>

    before(() => {
      database = new SqlDatabase(join(directory, 'routes.db'), { migrations: MIGRATIONS, durable: false })
      seedBuilds(database)
    })

    beforeEach((done) => {
      clock = new FakeClock()
      cache = createCache({ redis: false, namespace: 'builds-test', clock })
      server = createServer(createBuildsApp({ builds: buildRepository(database), cache })).listen(0, '127.0.0.1', done)
      request = supertest(server)
    })

    afterEach(async () => {
      server.closeAllConnections()
      server.close()
      await cache.close()
    })

    after(() => {
      database.close()
    })

    const READS = [
      '/builds',
      '/builds?class=witch&page=2',
      '/builds/1',
      '/classes',
      '/users/1/builds',
      '/users/1/liked',
    ]

    const sourceOf = async (path: string): Promise<string> => (await request.get(path).expect(200)).body.source

    for (const path of READS) {
      it(`answers GET ${path} from the source once, then from memory`, async () => {
        const first = await request.get(path).expect(200)
        expect(first.body.source).to.equal('origin')
        const second = await request.get(path).expect(200)
        expect(second.body).to.deep.equal({ ...first.body, source: 'memory' })
      })
    }

    const SECONDS = 1_000
    const STALE: readonly (readonly [path: string, seconds: number])[] = [
      ['/builds', 301],
      ['/builds/1', 301],
      ['/classes', 601],
    ]

    for (const [path, seconds] of STALE) {
      it(`answers GET ${path} at once with the old value after ${seconds} s, while one load brings the new one`, async () => {
        await request.get(path)
        const loads = database.queries
        clock.advance(seconds * SECONDS)
        const sources = await Promise.all(Array.from({ length: 5 }, () => sourceOf(path)))
        expect(sources).to.deep.equal(Array(5).fill('memory'))
        await eventually(() => database.queries === loads + 1)
        expect(await sourceOf(path)).to.equal('memory')
        expect(database.queries).to.equal(loads + 1)
      })
    }

    it('loads the builds of a user anew after 5 min', async () => {
      await request.get('/users/1/builds')
      clock.advance(301 * SECONDS)
      expect(await sourceOf('/users/1/builds')).to.equal('origin')
    })

    interface WriteCase {
      readonly name: string
      readonly perform: () => supertest.Test
      readonly gone: readonly string[]
      readonly kept: readonly string[]
    }

    const WRITES: readonly WriteCase[] = [
      {
        name: 'a new build',
        perform: () =>
          request.post('/builds').send({ class: 'witch', title: 'New', guide: 'Go', authorId: 7 }).expect(201),
        gone: ['/builds', '/builds?class=witch', '/users/7/builds'],
        kept: ['/builds/2', '/classes', '/users/8/builds', '/users/7/liked'],
      },
      {
        name: 'an edit',
        perform: () => request.patch('/builds/3').send({ title: 'Edited', guide: 'Go again' }).expect(200),
        gone: ['/builds', '/builds/3'],
        kept: ['/builds/2'],
      },
      {
        name: 'a like',
        perform: () => request.post('/builds/4/likes').send({ userId: 999 }).expect(200),
        gone: ['/builds/4', '/users/999/liked'],
        kept: ['/builds', '/builds/2', '/users/998/liked'],
      },
      {
        name: 'a deletion',
        perform: () => request.delete('/builds/5').expect(200),
        gone: ['/builds', '/builds?class=witch', '/users/999/liked'],
        kept: ['/builds/2'],
      },
    ]

    for (const { name, perform, gone, kept } of WRITES) {
      it(`loads anew what ${name} has changed, and nothing else`, async () => {
        for (const path of [...gone, ...kept]) await request.get(path).expect(200)
        expect((await perform()).body.confirmed).to.equal(true)
        for (const path of gone) expect(await sourceOf(path), path).to.equal('origin')
        for (const path of kept) expect(await sourceOf(path), path).to.equal('memory')
      })
    }

    it('changes nothing when somebody likes a build twice', async () => {
      const like = (): supertest.Test => request.post('/builds/6/likes').send({ userId: 999 })
      await like().expect(200)
      const { likes } = (await request.get('/builds/6')).body.build
      await like().expect(200)
      const again = await request.get('/builds/6')
      expect(again.body.source).to.equal('memory')
      expect(again.body.build.likes).to.equal(likes)
    })

    it('says what is wrong, and keeps nothing of it', async () => {
      for (let time = 0; time < 2; time++) {
        await request.get('/builds/99999').expect(404, { error: 'No such build.' })
        await request.get('/builds/none').expect(400)
        await request.get('/builds?class=druid').expect(400)
      }
      await request.post('/builds').send({ class: 'druid', title: 'x', guide: 'x', authorId: 1 }).expect(400)
      await request.post('/builds/99999/likes').send({ userId: 1 }).expect(404)
    })
  })

  describeWithRedis('its chain', () => {
    let redis: RedisServer
    let running: RunningBuilds
    let file: string

    beforeEach(async () => {
      redis = await startRedis()
      file = join(mkdtempSync(join(directory, 'chain-')), 'builds.db')
      await start()
    })

    afterEach(async () => {
      await running.close()
      await redis.stop()
    })

    async function start(): Promise<void> {
      running = await startBuilds({ file, port: 0, host: '127.0.0.1', redis: redis.url })
      await eventually(async () => (await ask('/cache/health')).status === 'pass')
    }

    /** The next process: nothing in memory. */
    async function restart(): Promise<void> {
      await running.close()
      await start()
    }

    async function ask(path: string): Promise<Readonly<Record<string, unknown>>> {
      const response = await fetch(`http://127.0.0.1:${running.port}${path}`)
      return (await response.json()) as Readonly<Record<string, unknown>>
    }

    const isKept = (): boolean => running.database.get('SELECT 1 FROM cache_entries') !== undefined

    it('answers from Redis, then from the table, then from the source, and says so', async () => {
      const { build, source } = await ask('/builds/1')
      expect(source).to.equal('origin')
      await eventually(isKept)
      await restart()
      expect(await ask('/builds/1')).to.deep.equal({ source: 'redis', build })
      await restart()
      await askRedis(redis.port, async (client) => {
        for (const key of await client.keys('*:e:*')) await client.del(key)
      })
      expect(await ask('/builds/1')).to.deep.equal({ source: 'fallback', build })
      expect(await ask('/builds/1')).to.deep.equal({ source: 'memory', build })
    })

    it('has nothing in the table that is older than a write', async () => {
      await ask('/builds/1')
      await eventually(isKept)
      await fetch(`http://127.0.0.1:${running.port}/builds/1`, {
        method: 'PATCH',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ title: `Title ${process.pid}`, guide: 'Go' }),
      })
      await restart()
      const answer = await ask('/builds/1')
      expect(answer).to.have.property('source', 'origin')
      expect(answer.build).to.have.property('title', `Title ${process.pid}`)
    })

    it('answers from the source when Redis is killed and the table fails', async () => {
      const { build } = await ask('/builds/1')
      await redis.kill9()
      running.database.script('DROP TABLE cache_entries')
      expect(await ask('/builds/2')).to.have.property('source', 'origin')
      // What memory has may stand in.
      expect(['memory', 'origin']).to.include((await ask('/builds/1')).source)
      expect((await ask('/builds/1')).build).to.deep.equal(build)
    })
  })

  describe('npm run builds', () => {
    it('prints two curl lines that are answered, and ends cleanly on SIGTERM', async () => {
      const child = spawn(process.execPath, ['--import', 'tsx', MAIN], {
        env: { ...process.env, PORT: '0', REDIS_URL: '', DEMO_DATA: join(directory, 'main') },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = once(child, 'exit')
      let output = ''
      for await (const chunk of child.stdout) {
        output += String(chunk)
        if (/builds\/1\n/.test(output)) break
      }
      const urls = Array.from(output.matchAll(/curl (\S+)/g), (match) => match[1] as string)
      expect(urls).to.have.length(2)
      for (const url of urls) expect((await fetch(url)).status).to.equal(200)
      child.kill('SIGTERM')
      expect((await ended)[0]).to.equal(0)
    })
  })
})

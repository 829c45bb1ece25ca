import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import supertest from 'supertest'
import { createCommunityApp } from '../../examples/community/app.ts'
import { CommunityDatabase } from '../../examples/community/database/database.ts'
import { MIGRATIONS } from '../../examples/community/database/migrations.ts'
import { prepareDatabase, prepareScratch } from '../../examples/community/database/prepare.ts'
import type { SeedSize } from '../../examples/community/database/seed.ts'
import { type Cache, createCache } from '../../middleware/index.ts'
import { eventually } from '../support/sharing.ts'

const SMALL: SeedSize = { communities: 24, users: 300, posts: 1_500, memberships: 900, questions: 30, votes: 2_000 }

const DATABASE = new URL('../../examples/community/database/database.ts', import.meta.url).href

const MAIN = new URL('../../examples/community/main.ts', import.meta.url).pathname

describe('the community example', () => {
  let directory: string

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'cachewell-community-'))
  })

  after(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  describe('its database', () => {
    it('has the same rows wherever it is seeded', () => {
      const rows = ['one', 'two'].map((name) => {
        const database = new CommunityDatabase(prepareDatabase({ directory: join(directory, name), size: SMALL }))
        try {
          return database.all('SELECT * FROM posts ORDER BY id LIMIT 50')
        } finally {
          database.close()
        }
      })
      expect(rows[0]).to.have.length(50)
      expect(rows[0]).to.deep.equal(rows[1])
    })

    it('has as many rows as asked for, the first communities the largest', () => {
      const database = open('sizes')
      const count = (table: string): number | undefined =>
        database.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n
      expect(count('communities')).to.equal(SMALL.communities)
      expect(count('users')).to.equal(SMALL.users)
      expect(count('posts')).to.equal(SMALL.posts)
      expect(count('questions')).to.equal(SMALL.questions)
      const sizes = database.all<{ n: number }>(
        'SELECT count(*) AS n FROM memberships GROUP BY community_id ORDER BY community_id',
      )
      expect(sizes[0]?.n).to.be.greaterThan((sizes[9]?.n ?? 0) * 5)
      database.close()
    })

    it('keeps what was written when it is opened again', () => {
      const first = open('kept')
      const change = first.change(() => {
        first.run(`UPDATE users SET name = 'Somebody' WHERE id = 1`)
        return ['user:1']
      })
      first.close()
      const second = open('kept')
      expect(second.writeSeq).to.equal(change.writeSeq)
      expect(second.get('SELECT name FROM users WHERE id = 1')).to.deep.equal({ name: 'Somebody' })
      second.close()
    })

    it('is seeded anew after a seeding that did not end', () => {
      const place = join(directory, 'crashed')
      expect(() =>
        prepareDatabase({
          directory: place,
          size: SMALL,
          onProgress: (done) => {
            if (done > 500) throw new Error('power cut')
          },
        }),
      ).to.throw('power cut')
      expect(readdirSync(place).filter((name) => name.endsWith('.db'))).to.deep.equal([])
      // A killed process leaves its directory behind, under an id that no process has.
      renameSync(join(place, `seeding-${process.pid}`), join(place, 'seeding-4194999'))
      const database = open('crashed')
      expect(database.get('SELECT count(*) AS posts FROM posts')).to.deep.equal({ posts: SMALL.posts })
      database.close()
      expect(existsSync(join(place, 'seeding-4194999'))).to.equal(false)
    })

    it('rolls a failed write back and uses no number for it', () => {
      const database = open('failed')
      const before = database.writeSeq
      expect(() =>
        database.change(() => {
          database.run('DELETE FROM users')
          throw new Error('no')
        }),
      ).to.throw('no')
      expect(database.writeSeq).to.equal(before)
      expect(database.get('SELECT count(*) AS users FROM users')).to.deep.equal({ users: SMALL.users })
      database.close()
    })

    it('holds nothing of a write that was cut short when its process was killed', async () => {
      const file = prepareDatabase({ directory: join(directory, 'killed'), size: SMALL })
      // A cache of so few pages that most of the write is in the file before it is committed.
      const script = `
        import { CommunityDatabase } from ${JSON.stringify(DATABASE)}
        const database = new CommunityDatabase(${JSON.stringify(file)})
        database.script('PRAGMA cache_size = 5')
        database.change(() => {
          database.run('UPDATE posts SET score = -1')
          process.kill(process.pid, 'SIGKILL')
        })`
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type', 'module', '--eval', script])
      const [[, signal], complaints] = await Promise.all([once(child, 'exit'), text(child.stderr)])
      expect(signal, complaints).to.equal('SIGKILL')
      const database = new CommunityDatabase(file)
      expect(database.get('SELECT count(*) AS posts FROM posts WHERE score = -1')).to.deep.equal({ posts: 0 })
      database.close()
    })

    it('takes over the lock of a process that is gone', () => {
      const file = prepareDatabase({ directory: join(directory, 'locked'), size: SMALL })
      mkdirSync(`${file}.lock`)
      const database = new CommunityDatabase(file)
      expect(database.get('SELECT count(*) AS users FROM users')).to.deep.equal({ users: SMALL.users })
      database.close()
    })

    it('refuses a file of a newer schema', () => {
      const file = prepareDatabase({ directory: join(directory, 'newer'), size: SMALL })
      const database = new CommunityDatabase(file)
      database.script(`PRAGMA user_version = ${MIGRATIONS.length + 1}`)
      database.close()
      expect(() => new CommunityDatabase(file)).to.throw(/newer version/)
    })

    it('is copied for a run and the copy removed after it', () => {
      const scratch = prepareScratch({ directory: join(directory, 'scratch'), size: SMALL })
      expect(existsSync(scratch.file)).to.equal(true)
      scratch.remove()
      expect(existsSync(scratch.file)).to.equal(false)
    })

    function open(name: string): CommunityDatabase {
      return new CommunityDatabase(prepareDatabase({ directory: join(directory, name), size: SMALL }))
    }
  })

  describe('its routes', () => {
    let database: CommunityDatabase
    let cache: Cache
    let server: Server
    let request: ReturnType<typeof supertest>

    before(() => {
      database = new CommunityDatabase(prepareDatabase({ directory: join(directory, 'routes'), size: SMALL }))
    })

    beforeEach((done) => {
      cache = createCache({ redis: false, namespace: 'community-test' })
      server = createServer(createCommunityApp({ database, cache })).listen(0, '127.0.0.1', done)
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
      '/communities',
      '/communities?category=music&sort=newest&page=1',
      '/communities?category=&sort=&page=',
      '/communities/trending',
      '/communities/1',
      '/communities/1/posts',
      '/communities/1/posts?page=2&sort=top',
      '/communities/1/members/count',
      '/communities/1/activity',
      '/users/1',
      '/users/1/profile',
      '/users/1/posts',
      '/questions',
      '/questions?status=open',
      '/questions/trending',
      '/questions/1',
      '/questions/1/results',
    ]

    for (const path of READS) {
      it(`answers GET ${path}, the second time from the cache`, async () => {
        const first = await request.get(path).expect(200)
        expect(first.body.asOf).to.equal(database.writeSeq)
        expect(isHit(first)).to.equal(false)
        const second = await request.get(path).expect(200)
        expect(isHit(second)).to.equal(true)
        expect(second.text).to.equal(first.text)
      })
    }

    it('answers the same without the cache under /uncached, never as a hit', async () => {
      const cached = await request.get('/communities/1/posts')
      for (let time = 0; time < 2; time++) {
        const plain = await request.get('/uncached/communities/1/posts').expect(200)
        expect(isHit(plain)).to.equal(false)
        expect(plain.body).to.deep.equal(cached.body)
      }
    })

    it('filters, sorts and pages the list of communities', async () => {
      const music = await request.get('/communities?category=music').expect(200)
      expect(music.body.total).to.equal(2)
      expect(music.body.communities.every((one: { category: string }) => one.category === 'music')).to.equal(true)
      const named = await request.get('/communities?sort=name').expect(200)
      const names = named.body.communities.map((one: { name: string }) => one.name)
      const inOrder = names.every((name: string, index: number) => index === 0 || names[index - 1] <= name)
      expect(inOrder).to.equal(true)
      const second = await request.get('/communities?page=2').expect(200)
      expect(second.body.communities).to.have.length(SMALL.communities - 20)
    })

    const PROBLEMS: readonly (readonly [string, number, string])[] = [
      ['/communities/none', 400, '"communityId" must be a positive whole number.'],
      ['/communities/0', 400, '"communityId" must be a positive whole number.'],
      ['/communities?page=-1', 400, '"page" must be a whole number from 1 to 9999.'],
      ['/communities?sort=size', 400, '"sort" must be one of popular, newest, name.'],
      ['/communities?page=1&page=2', 400, '"page" must be given once.'],
      ['/communities/99999', 404, 'No such community.'],
      ['/communities/99999/activity', 404, 'No such community.'],
      ['/users/99999', 404, 'No such user.'],
      ['/questions/99999/results', 404, 'No such question.'],
      ['/nowhere', 404, 'No route for GET /nowhere.'],
    ]

    for (const [path, status, error] of PROBLEMS) {
      it(`answers GET ${path} with ${status}, and does not keep that`, async () => {
        for (let time = 0; time < 2; time++) {
          const response = await request.get(path).expect(status)
          expect(response.body).to.deep.equal({ error })
          expect(isHit(response)).to.equal(false)
        }
      })
    }

    it('refuses bodies that are not what the route takes', async () => {
      await request
        .post('/communities/1/posts')
        .send({ authorId: 1, body: 'x' })
        .expect(400, { error: '"title" is missing.' })
      await request.post('/communities/1/posts').send([1]).expect(400, { error: 'The body must be a JSON object.' })
      await request.post('/communities/1/posts').type('json').send('{').expect(400)
      await request
        .post('/communities/1/members')
        .send({ userId: 99_999 })
        .expect(400, { error: '"userId" is nobody.' })
      await request.post('/questions/1/votes').send({ userId: 1, optionId: 99_999 }).expect(400)
      await request.patch('/questions/1').send({ status: 'lost' }).expect(400)
      await request.delete('/posts/99999').expect(404)
    })

    /** Each write with what it must make wrong and what it must leave alone. */
    interface WriteCase {
      readonly name: string
      readonly perform: () => supertest.Test
      readonly gone: readonly string[]
      readonly kept: readonly string[]
    }

    const WRITES: readonly WriteCase[] = [
      {
        name: 'a new post',
        perform: () =>
          request.post('/communities/2/posts').send({ authorId: 7, title: 'New', body: 'Post' }).expect(201),
        gone: [
          '/communities/2/posts',
          '/communities/2/posts?sort=top',
          '/communities/2/activity',
          '/communities/trending',
          '/users/7/profile',
          '/users/7/posts',
        ],
        kept: ['/communities/2', '/communities/3/posts', '/communities', '/users/7', '/questions/trending'],
      },
      {
        name: 'a new member',
        perform: () => request.post('/communities/24/members').send({ userId: unaffiliated() }).expect(201),
        gone: ['/communities/24/members/count', '/communities/24/activity'],
        kept: ['/communities/24', '/communities/24/posts', '/communities/1/members/count', '/communities'],
      },
      {
        name: 'a vote',
        perform: () => request.post('/questions/1/votes').send({ userId: 3, optionId: 1 }).expect(200),
        gone: ['/questions/1/results', '/questions/trending'],
        kept: ['/questions/1', '/questions', '/questions/2/results'],
      },
      {
        name: 'a new name of a community',
        perform: () => request.patch('/communities/3').send({ name: 'Renamed' }).expect(200),
        gone: [
          '/communities/3',
          '/communities/3/posts',
          '/communities/3/members/count',
          '/communities',
          '/communities?category=cooking',
          '/communities/trending',
        ],
        kept: ['/communities?category=music', '/communities/1/posts', '/communities/1/members/count'],
      },
      {
        name: 'a question that opens or closes',
        perform: () => request.patch('/questions/1').send({ status: 'closed' }).expect(200),
        gone: [
          '/questions',
          '/questions?status=open',
          '/questions?status=closed',
          '/questions/1',
          '/questions/1/results',
        ],
        kept: ['/questions/2', '/questions/trending'],
      },
    ]

    for (const { name, perform, gone, kept } of WRITES) {
      it(`makes wrong what depends on ${name}, and nothing else`, async () => {
        for (const path of [...gone, ...kept]) await request.get(path).expect(200)
        const { writeSeq } = (await perform()).body
        for (const path of gone) {
          const response = await request.get(path).expect(200)
          expect(isHit(response), path).to.equal(false)
          expect(response.body.asOf, path).to.be.at.least(writeSeq)
        }
        for (const path of kept) expect(isHit(await request.get(path)), path).to.equal(true)
      })
    }

    it('makes every page wrong that shows an author with a new name', async () => {
      const page = await request.get('/communities/1/posts')
      const { authorId } = page.body.posts[0]
      await request.get('/users/299').expect(200)
      await request.patch(`/users/${authorId}`).send({ name: 'Nom de Plume' }).expect(200)
      const renewed = await request.get('/communities/1/posts')
      expect(renewed.body.posts[0].authorName).to.equal('Nom de Plume')
      expect(isHit(await request.get('/users/299'))).to.equal(true)
    })

    it('makes the pages wrong that show a post that is edited or deleted', async () => {
      const { body } = await request
        .post('/communities/5/posts')
        .send({ authorId: 7, title: 'Draft', body: 'x' })
        .expect(201)
      const titles = async (): Promise<readonly string[]> =>
        (await request.get('/communities/5/posts')).body.posts.map((post: { title: string }) => post.title)
      expect(await titles()).to.include('Draft')
      await request.patch(`/posts/${body.id}`).send({ title: 'Final' }).expect(200)
      expect(await titles()).to.include('Final')
      await request.delete(`/posts/${body.id}`).expect(200)
      expect(await titles()).to.not.include('Final')
    })

    it('touches nothing when a member joins twice', async () => {
      const user = unaffiliated()
      const join = (): supertest.Test => request.post('/communities/24/members').send({ userId: user })
      await join().expect(201)
      await request.get('/communities/24/members/count')
      const again = await join().expect(200)
      expect(again.body.touched).to.deep.equal([])
      const left = await request.delete(`/communities/24/members/${user}`).expect(200)
      expect(left.body.touched).to.include('community:24:members')
    })

    it('has the results ready again after a vote, before anybody asks', async () => {
      const runs = (): number => database.costs.get('GET /questions/:questionId/results')?.runs ?? 0
      await request.get('/questions/2/results').expect(200)
      const before = runs()
      const [option] = (await request.get('/questions/2')).body.question.options
      const { writeSeq } = (await request.post('/questions/2/votes').send({ userId: 5, optionId: option.id })).body
      await eventually(() => runs() === before + 1)
      const results = await request.get('/questions/2/results').expect(200)
      expect(isHit(results)).to.equal(false)
      expect(results.body.asOf).to.be.at.least(writeSeq)
      expect(runs()).to.equal(before + 1)
    })

    it('shows permissions to their user only, from the cache, until the user joins', async () => {
      const user = unaffiliated()
      const url = `/users/${user}/communities/24/permissions`
      const ask = (caller: number): supertest.Test => request.get(url).set('Authorization', `Demo ${caller}`)
      await request.get(url).expect(403)
      expect((await ask(user).expect(200)).body.may).to.deep.equal(['read'])
      const again = await ask(user).expect(200)
      expect(isHit(again)).to.equal(true)
      await ask(user + 1).expect(403)
      await request.post('/communities/24/members').send({ userId: user }).expect(201)
      expect((await ask(user).expect(200)).body.may).to.include('post')
      await ask(user + 1).expect(403)
    })

    it('counts the queries of each route', async () => {
      await request.get('/communities/4/activity')
      await request.get('/communities/4/activity')
      const { body } = await request.get('/demo/queries').expect(200)
      expect(body.queries).to.be.greaterThan(0)
      const { runs, queries } = body.routes['GET /communities/:communityId/activity']
      expect(queries).to.equal(runs * 4)
    })

    it('shows the statistics of its cache', async () => {
      await request.get('/users/1')
      await request.get('/users/1')
      const { body } = await request.get('/cache/stats').expect(200)
      expect(body.stats.hits).to.equal(1)
    })

    function unaffiliated(): number {
      const sql =
        'SELECT max(id) AS id FROM users WHERE id NOT IN (SELECT user_id FROM memberships WHERE community_id = 24)'
      return database.get<{ id: number }>(sql)?.id ?? 0
    }
  })

  describe('npm start', function () {
    this.timeout(60_000)

    it('says in one line that its port is taken, and names PORT', async () => {
      const blocker = createServer().listen(0)
      await once(blocker, 'listening')
      const { port } = blocker.address() as AddressInfo
      prepareDatabase({ directory: join(directory, 'start'), size: SMALL })
      const { code, stderr } = await runMain({ PORT: String(port) })
      blocker.close()
      expect(code).to.equal(1)
      expect(stderr.trim()).to.equal(`Port ${port} is in use. Set PORT to a free one: PORT=${port + 1} npm start`)
    })

    it('refuses a PORT that is not one', async () => {
      const { code, stderr } = await runMain({ PORT: 'http' })
      expect(code).to.equal(1)
      expect(stderr.trim()).to.equal('PORT must be a number from 0 to 65535, not "http".')
    })

    it('prints three curl lines whose second answer is a hit, and ends cleanly on SIGTERM', async () => {
      prepareDatabase({ directory: join(directory, 'start'), size: SMALL })
      const child = startMain({ PORT: '0' })
      const ended = once(child, 'exit')
      let output = ''
      for await (const chunk of child.stdout) {
        output += String(chunk)
        if (/results\n/.test(output)) break
      }
      const urls = Array.from(output.matchAll(/curl -i (\S+)/g), (match) => match[1] as string)
      expect(urls).to.have.length(3)
      for (const url of urls) {
        await fetch(url).then((response) => response.text())
        const second = await fetch(url)
        await second.text()
        expect(second.headers.get('cache-status')).to.match(/^cachewell; hit/)
      }
      child.kill('SIGTERM')
      expect((await ended)[0]).to.equal(0)
    })

    function startMain(env: Record<string, string>) {
      return spawn(process.execPath, [...process.execArgv, '--import', 'tsx', MAIN], {
        env: { ...process.env, REDIS_URL: '', DEMO_DATA: join(directory, 'start'), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
    }

    async function runMain(env: Record<string, string>): Promise<{ readonly code: number; readonly stderr: string }> {
      const child = startMain(env)
      const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
      return { code, stderr }
    }
  })
})

function isHit(response: { readonly headers: Record<string, string> }): boolean {
  return response.headers['cache-status']?.startsWith('cachewell; hit') === true
}

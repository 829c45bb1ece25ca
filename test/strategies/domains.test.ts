import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { expect } from 'chai'
import express from 'express'
import request from 'supertest'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { cacheMiddleware, cacheRoute, invalidateMiddleware } from '../../middleware/index.ts'
import { community, guildAnalytics, user, voting } from '../../strategies/index.ts'
import { describeDomains } from '../contracts/domains.contract.ts'
import { makeGate } from '../contracts/values.contract.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { until } from '../support/site.ts'

describe('the bulk invalidations of the domains', () => {
  let cache: Cache
  beforeEach(() => {
    cache = createCache()
  })
  afterEach(() => cache.close())

  const bind = () => {
    let loads = 0
    const load = async (): Promise<number> => ++loads
    const analyses = guildAnalytics({ cache, load: { ghosts: load, roles: load } })
    return async () => ({
      ghosts: await analyses.ghosts({ guildId: 1, since: 'today' }),
      roles: await analyses.roles({ guildId: 1, since: 'today' }),
      otherGhosts: await analyses.ghosts({ guildId: 2, since: 'today' }),
    })
  }

  it('drop everything of a guild', async () => {
    const read = bind()
    await read()
    await cache.invalidate({ tags: ['guild:1'] })
    expect(await read()).to.deep.equal({ ghosts: 4, roles: 5, otherGhosts: 3 })
  })

  it('drop one analysis of every guild', async () => {
    const read = bind()
    await read()
    await cache.invalidate({ tags: ['analytics:ghosts'] })
    expect(await read()).to.deep.equal({ ghosts: 4, roles: 2, otherGhosts: 5 })
  })

  it('drop everything of a community', async () => {
    let loads = 0
    const load = async (): Promise<number> => ++loads
    const communities = community({ cache, load: { posts: load, config: load } })
    await Promise.all([communities.posts({ communityId: 7 }), communities.config({ communityId: 7 })])
    await communities.posts({ communityId: 8 })
    await cache.invalidate({ tags: ['community:7'] })
    expect(await communities.posts({ communityId: 8 })).to.equal(3)
    expect(await communities.posts({ communityId: 7 })).to.equal(4)
    expect(await communities.config({ communityId: 7 })).to.equal(5)
  })
})

describe('the user domain over several users', () => {
  it('reaches the friend of a mutual friendship, and wallets that are named', () => {
    expect(user.events.friendsChanged({ userId: 3, friendId: 4 })).to.deep.equal(['user:3:friends', 'user:4:friends'])
    expect(user.events.userUpdated({ userId: 3, wallets: ['0xA', '0xB'] })).to.deep.equal([
      'user:3',
      'wallet:0xA',
      'wallet:0xB',
    ])
  })

  it('leaves the votes and permissions of others alone', () => {
    const others = { params: { userId: '4', communityId: '7', questionId: '9' } }
    const role = user.events.roleChanged({ userId: 3, communityId: 7 })
    expect(user.permissions.tags(others).filter((tag) => role.includes(tag))).to.deep.equal([])
    const vote = voting.events.voteCast({ questionId: 9, userId: 3 })
    expect(voting.userVote.tags(others).filter((tag) => vote.includes(tag))).to.deep.equal([])
  })
})

/** What the strategies promise, on any cache. */
function keepsItsPromise(makeCache: () => Promise<Cache>): void {
  let cache: Cache
  beforeEach(async () => {
    cache = await makeCache()
  })
  afterEach(() => cache.close())

  it('reads through its loaders and sees each write', async () => {
    const votes = new Map([['yes', 1]])
    let queries = 0
    const polls = voting({
      cache,
      load: {
        results: async ({ questionId }) => {
          queries++
          return { questionId, votes: Object.fromEntries(votes) }
        },
      },
    })
    expect(await polls.results({ questionId: 9 })).to.deep.equal({ questionId: 9, votes: { yes: 1 } })
    expect(await polls.results({ questionId: 9 })).to.deep.equal({ questionId: 9, votes: { yes: 1 } })
    expect(queries).to.equal(1)
    votes.set('yes', 2)
    await polls.onVoteCast({ questionId: 9, userId: 3 })
    // Nobody has to ask.
    await until(() => queries === 2)
    expect(await polls.results({ questionId: 9 })).to.deep.equal({ questionId: 9, votes: { yes: 2 } })
  })

  it('loads results again once for votes that come while it does', async () => {
    const gate = makeGate<number>()
    const polls = voting({ cache, load: { results: gate.loader } })
    const vote = { questionId: 9, userId: 3 }
    await polls.onVoteCast(vote)
    await until(() => gate.calls === 1)
    for (let votes = 0; votes < 5; votes++) await polls.onVoteCast(vote)
    expect(gate.calls).to.equal(1)
    gate.open(1)
    await until(() => gate.calls === 2)
    gate.open(6)
    expect(await polls.results({ questionId: 9 })).to.equal(6)
    expect(gate.calls).to.equal(2)
  })

  it('tells of a load that fails after an event, which happened all the same', async () => {
    const errors: string[] = []
    cache.on('error', ({ where, cause }) => errors.push(`${where}: ${String(cause)}`))
    const polls = voting({
      cache,
      load: {
        voteCounts: async () => {
          throw new Error('database away')
        },
      },
    })
    expect(await polls.onVoteCast({ questionId: 9, userId: 3 })).to.have.property('ack')
    await until(() => errors.length > 0)
    expect(errors).to.deep.equal(['refresh: Error: database away'])
  })

  it('keeps the pages of one list apart and drops them together', async () => {
    let queries = 0
    const communities = community({
      cache,
      load: { posts: ({ communityId, page = 1 }) => `${communityId}/${page}/${++queries}` },
    })
    expect(await communities.posts({ communityId: 7 })).to.equal('7/1/1')
    expect(await communities.posts({ communityId: 7, page: 2 })).to.equal('7/2/2')
    expect(await communities.posts({ communityId: 8 })).to.equal('8/1/3')
    await communities.onPostCreated({ communityId: 7 })
    expect(await communities.posts({ communityId: 8 })).to.equal('8/1/3')
    expect(await communities.posts({ communityId: 7 })).to.equal('7/1/4')
    expect(await communities.posts({ communityId: 7, page: 2 })).to.equal('7/2/5')
  })
}

describe('strategies over memory', () => {
  keepsItsPromise(async () => createCache())
  describeDomains('over memory', async () => createCache({ clock: new FakeClock() }))
})

describeWithRedis('strategies over a real Redis', () => {
  let redis: RedisServer
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function connected(options: CacheOptions = {}): Promise<Cache> {
    const cache = createCache({ redis: redis.url, namespace: 'strategies', deadlineMs: 1_000, ...options })
    await cache.ready()
    await cache.invalidate({ all: true })
    return cache
  }

  keepsItsPromise(() => connected())
  describeDomains('over memory in front of Redis', () => connected({ clock: new FakeClock() }))

  it('lets an event in one process reach the values of another', async () => {
    const [here, there] = [await connected(), await connected()]
    let name = 'Ada'
    const load = { profile: async () => ({ name }) }
    const [readers, writers] = [user({ cache: here, load }), user({ cache: there })]
    expect(await readers.profile({ userId: 3 })).to.deep.equal({ name: 'Ada' })
    name = 'Grace'
    await writers.onUserUpdated({ userId: 3 })
    expect(await readers.profile({ userId: 3 })).to.deep.equal({ name: 'Grace' })
    await Promise.all([here.close(), there.close()])
  })
})

describe('policies on routes', () => {
  let server: Server
  let title: string
  let cache: Cache
  const warnings: string[] = []
  beforeEach(async () => {
    title = 'old'
    warnings.length = 0
    cache = createCache({ logger: { info: () => {}, warn: (message) => warnings.push(message) } })
    const app = express()
    app.use(cacheMiddleware({ cache }))
    app.get('/communities/:communityId/posts', cacheRoute(community.posts), (_req, res) => void res.json({ title }))
    app.get('/c/:id/posts', cacheRoute(community.posts), (_req, res) => void res.json({ title }))
    app.get('/guilds/:guildId/ghosts', cacheRoute(guildAnalytics.ghosts), (_req, res) => void res.json({ title }))
    app.get(
      '/brief/:communityId',
      cacheRoute({ ...community.posts, ttl: '1m' }),
      (_req, res) => void res.json({ title }),
    )
    const tags = (req: express.Request): readonly string[] =>
      community.events.postCreated({ communityId: String(req.params['communityId']) })
    app.post(
      '/communities/:communityId/posts',
      invalidateMiddleware({ cache, tags }),
      (_req, res) => void res.sendStatus(201),
    )
    server = createServer(app).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => void server.close())

  it('give a route its lifetime and tags, which the event of a write invalidates', async () => {
    await request(server).get('/communities/7/posts').expect('X-Cache', 'MISS').expect({ title: 'old' })
    const { headers } = await request(server).get('/communities/7/posts').expect('X-Cache', 'HIT')
    expect(headers['cache-status']).to.match(/ttl=(300|29\d)/)
    await request(server).get('/communities/8/posts').expect('X-Cache', 'MISS')
    title = 'new'
    await request(server).post('/communities/7/posts').expect(201)
    await request(server).get('/communities/7/posts').expect('X-Cache', 'MISS').expect({ title: 'new' })
    await request(server).get('/communities/8/posts').expect('X-Cache', 'HIT').expect({ title: 'old' })
  })

  it('let the domain be forgotten as a whole', async () => {
    await request(server).get('/communities/7/posts').expect({ title: 'old' })
    title = 'new'
    await community({ cache }).forgetAll()
    await request(server).get('/communities/7/posts').expect('X-Cache', 'MISS').expect({ title: 'new' })
  })

  it('take from a route what their tags need, and no more', async () => {
    await request(server).get('/guilds/31/ghosts?since=today').expect('X-Cache', 'MISS')
    await request(server).get('/guilds/31/ghosts?since=today').expect('X-Cache', 'HIT')
    await guildAnalytics({ cache }).onTyping({ guildId: '31' })
    await request(server).get('/guilds/31/ghosts?since=today').expect('X-Cache', 'MISS')
    expect(warnings).to.deep.equal([])
  })

  it('let a route choose its own lifetime', async () => {
    await request(server).get('/brief/7').expect('X-Cache', 'MISS')
    const { headers } = await request(server).get('/brief/7').expect('X-Cache', 'HIT')
    expect(headers['cache-status']).to.match(/ttl=(60|5\d)/)
  })

  it('do not store a response whose route has no such parameter, and say why', async () => {
    await request(server).get('/c/7/posts').expect('X-Cache', 'MISS')
    await request(server).get('/c/7/posts').expect('X-Cache', 'MISS')
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.contain('the route has no parameter ":communityId"')
  })
})

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { expect } from 'chai'
import express from 'express'
import request from 'supertest'
import { type Cache, createCache } from '../../lib/cache.ts'
import { parseDuration } from '../../lib/duration.ts'
import { cacheMiddleware, cacheRoute, invalidateMiddleware } from '../../middleware/index.ts'
import { community, type RoutePolicy, user, voting } from '../../strategies/index.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

/** A lifetime per entity, and which of them each event reaches. */
interface Expectation {
  readonly domain: object
  readonly ttl: Readonly<Record<string, string>>
  /** Each event with the entities it makes wrong. */
  readonly events: Readonly<Record<string, readonly string[]>>
}

const ids = { communityId: '7', userId: '3', questionId: '9', address: '0xA' }
const others = { communityId: '8', userId: '4', questionId: '10', address: '0xB' }

const ofOnePost = ['posts', 'trending', 'activity']
const ofOneMember = ['members', 'memberCount', 'activity']
const ofOneQuestion = ['question', 'results', 'voteCounts', 'userVote', 'analytics', 'participation', 'trending']

const expectations: Readonly<Record<string, Expectation>> = {
  community: {
    domain: community,
    ttl: {
      metadata: '1h',
      config: '1h',
      list: '5m',
      posts: '5m',
      trending: '5m',
      members: '10m',
      memberCount: '5m',
      activity: '5m',
    },
    events: {
      communityUpdated: ['metadata', 'config', 'list', 'posts', 'trending', 'members', 'memberCount', 'activity'],
      postCreated: ofOnePost,
      postUpdated: ofOnePost,
      postDeleted: ofOnePost,
      memberJoined: ofOneMember,
      memberLeft: ofOneMember,
    },
  },
  user: {
    domain: user,
    ttl: {
      user: '1h',
      profile: '2h',
      friends: '30m',
      settings: '1h',
      preferences: '1h',
      permissions: '15m',
      sessions: '24h',
      activity: '5m',
      memberships: '30m',
      wallet: '24h',
    },
    events: {
      userUpdated: [
        'user',
        'profile',
        'friends',
        'settings',
        'preferences',
        'permissions',
        'sessions',
        'activity',
        'memberships',
      ],
      friendsChanged: ['friends'],
      roleChanged: ['permissions', 'memberships'],
    },
  },
  voting: {
    domain: voting,
    ttl: {
      question: '10m',
      results: '30s',
      voteCounts: '30s',
      userVote: '1h',
      analytics: '5m',
      participation: '5m',
      trending: '5m',
    },
    events: {
      voteCast: ['results', 'voteCounts', 'userVote', 'analytics', 'participation'],
      questionOpened: ofOneQuestion,
      questionClosed: ofOneQuestion,
    },
  },
}

/** Entities that are about everybody. */
const COMMON = ['list', 'trending']

for (const [name, { domain, ttl, events }] of Object.entries(expectations)) {
  describe(`the ${name} domain`, () => {
    const policies = domain as Readonly<Record<string, RoutePolicy>>
    const tagsOf = (domain as { events: Readonly<Record<string, (args: object) => readonly string[]>> }).events

    it('has these entities and events', () => {
      expect(Object.keys(domain).sort()).to.deep.equal([...Object.keys(ttl), 'events'].sort())
      expect(Object.keys(tagsOf).sort()).to.deep.equal(Object.keys(events).sort())
    })

    for (const [entity, lifetime] of Object.entries(ttl)) {
      it(`keeps ${entity} for ${lifetime}`, () => {
        expect(parseDuration('ttl', policies[entity]?.ttl)).to.equal(parseDuration('ttl', lifetime))
      })
    }

    for (const [event, reached] of Object.entries(events)) {
      it(`lets ${event} reach ${reached.join(', ')} and nothing else`, () => {
        const tags = tagsOf[event]?.(ids) ?? []
        const touched = (params: Readonly<Record<string, string>>): readonly string[] =>
          Object.keys(ttl).filter((entity) => policies[entity]?.tags({ params }).some((tag) => tags.includes(tag)))
        expect(touched(ids)).to.have.members(reached)
        expect(touched(others)).to.have.members(reached.filter((entity) => COMMON.includes(entity)))
      })
    }
  })
}

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
    expect(await polls.results({ questionId: 9 })).to.deep.equal({ questionId: 9, votes: { yes: 2 } })
    expect(queries).to.equal(2)
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
})

describeWithRedis('strategies over a real Redis', () => {
  let redis: RedisServer
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function connected(): Promise<Cache> {
    const cache = createCache({ redis: redis.url, namespace: 'strategies', deadlineMs: 1_000 })
    await cache.ready()
    await cache.invalidate({ all: true })
    return cache
  }

  keepsItsPromise(connected)

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
  const warnings: string[] = []
  beforeEach(async () => {
    title = 'old'
    warnings.length = 0
    const cache = createCache({ logger: { info: () => {}, warn: (message) => warnings.push(message) } })
    const app = express()
    app.use(cacheMiddleware({ cache }))
    app.get('/communities/:communityId/posts', cacheRoute(community.posts), (_req, res) => void res.json({ title }))
    app.get('/c/:id/posts', cacheRoute(community.posts), (_req, res) => void res.json({ title }))
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
    expect(headers['cache-status']).to.match(/ttl=(300|299)/)
    await request(server).get('/communities/8/posts').expect('X-Cache', 'MISS')
    title = 'new'
    await request(server).post('/communities/7/posts').expect(201)
    await request(server).get('/communities/7/posts').expect('X-Cache', 'MISS').expect({ title: 'new' })
    await request(server).get('/communities/8/posts').expect('X-Cache', 'HIT').expect({ title: 'old' })
  })

  it('let a route choose its own lifetime', async () => {
    await request(server).get('/brief/7').expect('X-Cache', 'MISS')
    const { headers } = await request(server).get('/brief/7').expect('X-Cache', 'HIT')
    expect(headers['cache-status']).to.match(/ttl=(60|59)/)
  })

  it('do not store a response whose route has no such parameter, and say why', async () => {
    await request(server).get('/c/7/posts').expect('X-Cache', 'MISS')
    await request(server).get('/c/7/posts').expect('X-Cache', 'MISS')
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.contain('the route has no parameter ":communityId"')
  })
})

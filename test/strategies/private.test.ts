import type { RequestListener } from 'node:http'
import { expect } from 'chai'
import express from 'express'
import type { Cache } from '../../lib/cache.ts'
import { type CacheRouteOptions, cacheMiddleware, cacheRoute, withCache } from '../../middleware/index.ts'
import { type RoutePolicy, user } from '../../strategies/index.ts'
import { closeSites, makeBench, openSite } from '../support/site.ts'
import { DOMAINS, OURS } from './domain-table.ts'

/** Who asks is told by a field that no cache knows, so that nothing but the policy keeps users apart. */
const WHO = 'X-Who'

/** A route that says who asked, in each of the places that a cache may have. */
const PLACES: Readonly<Record<string, (cache: Cache, path: string, policy: CacheRouteOptions) => RequestListener>> = {
  'below a cacheMiddleware': (cache, path, policy) =>
    express().use(cacheMiddleware({ cache })).get(path, cacheRoute(policy), sayWho),
  'by itself': (cache, path, policy) => express().get(path, cacheRoute({ ...policy, cache }), sayWho),
  'below withCache': (cache, path, policy) => withCache(express().get(path, cacheRoute(policy), sayWho), { cache }),
}

function sayWho(req: express.Request, res: express.Response): void {
  res.json({ who: req.get(WHO) })
}

/** A route with the parameters that identify an entity, and one URL of it. */
function pathOf(by: readonly (keyof typeof OURS)[]): { readonly path: string; readonly url: string } {
  return {
    path: `/x${by.map((name) => `/:${name}`).join('')}`,
    url: `/x${by.map((name) => `/${OURS[name]}`).join('')}`,
  }
}

const privates = Object.entries(DOMAINS).flatMap(([domain, { domain: policies, entities }]) =>
  Object.entries(entities)
    .filter(([, row]) => row.private)
    .map(([entity, { by }]) => ({
      name: `${domain}.${entity}`,
      policy: (policies as Readonly<Record<string, RoutePolicy>>)[entity] as RoutePolicy,
      ...pathOf(by),
    })),
)

describe('what is private', () => {
  afterEach(closeSites)

  it('is marked so, and nothing else is', () => {
    const marked = Object.entries(DOMAINS).flatMap(([domain, { domain: policies, entities }]) =>
      Object.keys(entities)
        .filter((entity) => Reflect.get(Reflect.get(policies, entity) as object, 'scope') !== undefined)
        .map((entity) => `${domain}.${entity}`),
    )
    expect(marked).to.have.members(privates.map(({ name }) => name))
  })

  for (const [place, mount] of Object.entries(PLACES)) {
    for (const { name, policy, path, url } of privates) {
      it(`is not stored without a scope: ${name} ${place}`, async () => {
        const { cache, warnings } = makeBench()
        const site = await openSite(mount(cache, path, policy))
        const answers: string[] = []
        for (const who of ['ada', 'grace', 'ada']) answers.push((await site.get(url, { [WHO]: who })).text)
        answers.push((await site.get(url)).text, (await site.get(url, { [WHO]: 'eve', Cookie: 'a=b' })).text)
        expect(answers).to.deep.equal(['{"who":"ada"}', '{"who":"grace"}', '{"who":"ada"}', '{}', '{"who":"eve"}'])
        expect((await cache.entries()).entries).to.deep.equal([])
        expect(warnings.join('\n')).to.include(`${name} is not for everyone`)
        await cache.close()
      })
    }

    it(`is stored for each of those whom the scope tells apart ${place}`, async () => {
      const { cache, warnings } = makeBench()
      const scope = (req: express.Request): string => String(req.get(WHO))
      const site = await openSite(mount(cache, '/users/:userId/sessions', { ...user.sessions, scope }))
      const seen: string[] = []
      const ask = async (who: string): Promise<void> => {
        const answer = await site.get('/users/3/sessions', { [WHO]: who })
        seen.push(`${answer.text} ${answer.header('X-Cache')}`)
      }
      for (const who of ['ada', 'ada', 'grace', 'grace', 'ada']) await ask(who)
      await cache.invalidate({ tags: user.events.userUpdated({ userId: 3 }) })
      await ask('ada')
      expect(seen).to.deep.equal([
        '{"who":"ada"} MISS',
        '{"who":"ada"} HIT',
        '{"who":"grace"} MISS',
        '{"who":"grace"} HIT',
        '{"who":"ada"} HIT',
        '{"who":"ada"} MISS',
      ])
      expect(warnings).to.deep.equal([])
      await cache.close()
    })
  }
})

describe('values of users', () => {
  it('are kept under keys of their own', async () => {
    const { cache } = makeBench()
    const load = async ({ userId }: { readonly userId: string | number }): Promise<string> => `of ${userId}`
    const users = user({ cache, load: { sessions: load, permissions: load } })
    for (const userId of ['3', '4', '3:4', '3%3A4', 'v1']) {
      expect(await users.sessions({ userId })).to.equal(`of ${userId}`)
      for (const communityId of ['3', '4', '4:3'])
        expect(await users.permissions({ userId, communityId })).to.equal(`of ${userId}`)
    }
    await users.onUserUpdated({ userId: '3' })
    const { entries } = await cache.entries()
    expect(entries.map(({ name }) => name)).to.have.members([
      ...['4', '3%3A4', '3%253A4', 'v1'].map((id) => `user:sessions:${id}:v1`),
      ...['4', '3%3A4', '3%253A4', 'v1'].flatMap((id) =>
        ['3', '4', '4%3A3'].map((communityId) => `user:permissions:${id}:${communityId}:v1`),
      ),
    ])
    await cache.close()
  })
})

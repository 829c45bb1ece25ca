import { expect } from 'chai'
import type { Cache } from '../../lib/cache.ts'
import { createCache } from '../../lib/cache.ts'
import { CacheError } from '../../lib/errors.ts'
import { aiResponse } from '../../strategies/index.ts'

type Asked = Parameters<ReturnType<typeof bind>['ai']['response']>[0]

/** A model that counts what it is asked. */
function bind(cache: Cache, options: { readonly loadsPerMinute?: number } = {}) {
  let runs = 0
  const load = {
    response: async ({ prompt }: { readonly prompt: string | readonly object[] }) => ({
      prompt,
      response: `answer ${++runs}`,
    }),
  }
  return { ai: aiResponse({ cache, load, ...options }), runs: () => runs }
}

describe('the aiResponse domain', () => {
  let now: number
  let cache: Cache
  beforeEach(() => {
    now = 1_700_000_000_000
    cache = createCache({ clock: { now: () => now, monotonic: () => now } })
  })
  afterEach(() => cache.close())

  it('keeps prompt and response under a digest that shows neither', async () => {
    const { ai } = bind(cache)
    const asked: Asked = { model: 'large', prompt: 'My secret is 42', parameters: { temperature: 0 } }
    expect(await ai.response(asked)).to.deep.equal({ prompt: 'My secret is 42', response: 'answer 1' })
    const { entries } = await cache.entries()
    expect(entries.map(({ name }) => name).join()).to.match(/^aiResponse:response:[0-9a-f]{64}:v1$/)
  })

  it('takes what means the same for the same', async () => {
    const { ai, runs } = bind(cache)
    const messages = [{ role: 'user', content: 'Why?' }]
    await ai.response({ model: 'large', prompt: messages, parameters: { temperature: 0, stop: ['a', 'b'], top: {} } })
    await ai.response({
      parameters: { top: {}, stop: ['a', 'b'], temperature: 0, ...({ seed: undefined } as object) },
      prompt: [{ content: 'Why?', role: 'user' }],
      model: 'large',
    })
    expect(runs()).to.equal(1)
    await ai.response({ model: 'large', prompt: 'Why?' })
    await ai.response({ model: 'large', prompt: 'Why?', parameters: {} })
    expect(runs()).to.equal(2)
  })

  it('takes nothing else for the same', async () => {
    const { ai, runs } = bind(cache)
    const different: readonly Asked[] = [
      { model: 'large', prompt: 'Why?' },
      { model: 'small', prompt: 'Why?' },
      { model: 'large', prompt: 'why?' },
      { model: 'large', prompt: '["Why?"]' },
      { model: 'large', prompt: [{ content: 'Why?' }] },
      { model: 'large', prompt: [{ content: 'Why?', role: 'user' }] },
      { model: 'large', prompt: [{ content: 'Wh' }, { content: 'y?' }] },
      { model: 'large', prompt: 'Why?', parameters: { n: 1 } },
      { model: 'large', prompt: 'Why?', parameters: { n: '1' } },
      { model: 'large', prompt: 'Why?', parameters: { n: null } },
      { model: 'large', prompt: 'Why?', parameters: { n: [1, 2] } },
      { model: 'large', prompt: 'Why?', parameters: { n: [2, 1] } },
      { model: 'large', prompt: 'Why?', parameters: { user: 3 } },
      { model: 'large","Why?', prompt: '' },
    ]
    for (const asked of different) await ai.response(asked)
    for (const asked of different) await ai.response(asked)
    expect(runs()).to.equal(different.length)
  })

  it('refuses what no digest can tell apart', async () => {
    const { ai, runs } = bind(cache)
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    for (const asked of [
      { model: 'large' },
      { model: '', prompt: 'Why?' },
      { model: 'large', prompt: 'Why?', parameters: { at: new Date() } },
      { model: 'large', prompt: 'Why?', parameters: { n: Number.NaN } },
      { model: 'large', prompt: 'Why?', parameters: { n: 1n } },
      { model: 'large', prompt: 'Why?', parameters: { n: [undefined] } },
      { model: 'large', prompt: 'Why?', parameters: new Map([['n', 1]]) },
      { model: 'large', prompt: 'Why?', parameters: circular },
    ]) {
      const error = await ai.response(asked as Asked).catch((caught: unknown) => caught)
      expect(error).to.be.instanceOf(CacheError).with.property('code', 'ERR_CACHE_BAD_OPTION')
    }
    expect(runs()).to.equal(0)
  })

  it('forgets the responses of a model that has changed, and no others', async () => {
    const { ai, runs } = bind(cache)
    await ai.response({ model: 'large', prompt: 'Why?' })
    await ai.response({ model: 'small', prompt: 'Why?' })
    await ai.onModelChanged({ model: 'large' })
    await ai.response({ model: 'small', prompt: 'Why?' })
    expect(runs()).to.equal(2)
    await ai.response({ model: 'large', prompt: 'Why?' })
    expect(runs()).to.equal(3)
  })

  describe('loadsPerMinute', () => {
    const ask = async (ai: ReturnType<typeof bind>['ai'], prompt: string): Promise<unknown> =>
      ai.response({ model: 'large', prompt }).then(
        ({ response }) => response,
        (error: unknown) => error,
      )

    it('is how often loaders run within any 60 s; hits are not limited', async () => {
      const { ai, runs } = bind(cache, { loadsPerMinute: 2 })
      expect(await ask(ai, 'a')).to.equal('answer 1')
      now += 20_000
      expect(await ask(ai, 'b')).to.equal('answer 2')
      now += 10_000
      const error = await ask(ai, 'c')
      expect(error)
        .to.be.instanceOf(CacheError)
        .and.to.include({ code: 'ERR_CACHE_RATE_LIMITED', retryAfterMs: 30_000 })
      expect(await ask(ai, 'a')).to.equal('answer 1')
      now += 29_999
      expect(await ask(ai, 'c')).to.include({ retryAfterMs: 1 })
      now += 1
      expect(await ask(ai, 'c')).to.equal('answer 3')
      // The window slides: the second run still counts.
      expect(await ask(ai, 'd')).to.include({ retryAfterMs: 20_000 })
      now += 20_000
      expect(await ask(ai, 'd')).to.equal('answer 4')
      expect(runs()).to.equal(4)
    })

    it('keeps nothing of what was refused', async () => {
      const { ai } = bind(cache, { loadsPerMinute: 1 })
      await ask(ai, 'a')
      await ask(ai, 'b')
      expect((await cache.entries()).entries).to.have.length(1)
    })

    it('counts one run for all who wait for it, and those that fail', async () => {
      let runs = 0
      const ai = aiResponse({
        cache,
        loadsPerMinute: 2,
        load: {
          response: async () => {
            if (++runs === 2) throw new Error('overloaded')
            return runs
          },
        },
      })
      const asked = (prompt: string): Promise<unknown> => ai.response({ model: 'large', prompt })
      expect(await Promise.all([asked('a'), asked('a'), asked('a')])).to.deep.equal([1, 1, 1])
      expect(String(await asked('b').catch((error: unknown) => error))).to.equal('Error: overloaded')
      expect(await asked('b').catch((error: unknown) => error)).to.have.property('code', 'ERR_CACHE_RATE_LIMITED')
    })

    it('counts one run for a call of loadMany', async () => {
      const ai = aiResponse({
        cache,
        loadsPerMinute: 1,
        loadMany: { response: async (list) => list.map(({ prompt }) => prompt) },
      })
      const both = [
        { model: 'large', prompt: 'a' },
        { model: 'large', prompt: 'b' },
      ]
      expect(await ai.response.many(both)).to.deep.equal(['a', 'b'])
      const error = await ai.response({ model: 'large', prompt: 'c' }).catch((caught: unknown) => caught)
      expect(error).to.have.property('code', 'ERR_CACHE_RATE_LIMITED')
    })

    it('is 60 where nothing is said', async () => {
      const { ai, runs } = bind(cache)
      for (let prompt = 0; prompt < 61; prompt++) await ask(ai, String(prompt))
      expect(runs()).to.equal(60)
    })

    it('is refused where it is no count', () => {
      for (const loadsPerMinute of [0, -1, 1.5, Number.NaN, '60']) {
        expect(() => bind(cache, { loadsPerMinute: loadsPerMinute as number })).to.throw(
          CacheError,
          /aiResponse: loadsPerMinute/,
        )
      }
    })
  })
})

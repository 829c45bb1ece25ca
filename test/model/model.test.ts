import { expect } from 'chai'
import fc from 'fast-check'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { type MakeCaching, Stage } from './machine.ts'
import type { Kind } from './model.ts'
import { type Fault, simpleCache } from './simple.ts'
import { stories } from './steps.ts'

/**
 * Random stories of requests, writes, passing time and handlers' answers, each answer judged by the model. `MODEL_RUNS` plays
 * more of them, `MODEL_SEED` others; `MODEL_PATH` with the seed of a failure plays the shrunk story again.
 */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 300)
const SEED = Number(process.env['MODEL_SEED'] ?? 9111)
const PATH = process.env['MODEL_PATH']

/** About 30 steps on average. */
const LONGEST = 60

/** Ms that a story may take, and shrinking a failing one. */
const [STORY_MS, SHRINKING_MS] = [100, 120_000]

/** How often each kind of answer comes at least, for each story: a model that explains everything one way judges nothing. */
const EXPECTED: Readonly<Record<Kind | 'due', number>> = {
  handler: 10,
  hit: 2,
  due: 0.3,
  validated: 0.5,
  'stale hit': 0.05,
  'stand-in': 0.02,
  refused: 0.05,
  broken: 0.1,
}

const product: MakeCaching = ({ cache }, profile) => cacheMiddleware({ cache, profile, headers: 'standard' })

describe('any story of requests and answers', () => {
  let stage: Stage

  before(async () => {
    stage = await Stage.open()
  })
  after(() => stage.close())

  it('has only answers that the decision tables allow (35.0 to 35.3)', async function () {
    this.timeout(RUNS * STORY_MS + SHRINKING_MS)
    const counts = new Map<string, number>()
    const count = (kind: string): void => void counts.set(kind, (counts.get(kind) ?? 0) + 1)
    const property = fc.asyncProperty(stories(LONGEST), async (story) => {
      for (const { kind, due } of await stage.perform(story, product)) {
        count(kind)
        if (due) count('due')
      }
    })
    await fc.assert(property, {
      seed: SEED,
      numRuns: RUNS,
      includeErrorInReport: true,
      ...(PATH === undefined ? {} : { path: PATH, endOnFailure: true }),
    })
    if (PATH !== undefined || RUNS < 100) return
    for (const [kind, least] of Object.entries(EXPECTED)) {
      expect(counts.get(kind) ?? 0, `answers of the kind "${kind}" in ${RUNS} stories`).to.be.at.least(least * RUNS)
    }
  })
})

describe('the model', () => {
  let stage: Stage

  before(async () => {
    stage = await Stage.open()
  })
  after(() => stage.close())

  function play(
    make: MakeCaching,
    numRuns: number,
  ): Promise<{ readonly failed: boolean; readonly errorInstance: unknown }> {
    const property = fc.asyncProperty(stories(LONGEST), async (story) => {
      await stage.perform(story, make)
    })
    return fc.check(property, { seed: SEED, numRuns, endOnFailure: true })
  }

  it('finds nothing wrong with a small cache that is right', async function () {
    this.timeout(SHRINKING_MS)
    const { failed, errorInstance } = await play(({ clock }) => simpleCache(clock), 50)
    expect(failed, String(errorInstance)).to.equal(false)
  })

  const caught: [Fault, RegExp][] = [
    ['another variant', /DR-6 another variant/],
    ['after a write', /INV-2 older than the write/],
    ['overtaken', /INV-2 older than the write/],
    ['beyond its lifetime', /DR-19 stale by/],
    ['stored what is private', /run \d+: DS-13 private/],
    ['part as a whole', /run \d+: DS-10 part/],
    ['broken off', /run \d+: DS-31 it broke off/],
    ['another client', /run \d+: DS-1[45] /],
    ['no age', /Age is missing/],
    ['wrong length', /Content-Length: \d+/],
    ['nothing stored', /the handler ran, although .* is there and fresh \(DR-15\)/],
  ]
  for (const [fault, words] of caught) {
    it(`catches the fault "${fault}"`, async function () {
      this.timeout(SHRINKING_MS)
      const { failed, errorInstance } = await play(({ clock }) => simpleCache(clock, fault), 1_000)
      expect(failed).to.equal(true)
      expect(String(errorInstance)).to.match(words)
    })
  }
})

import type { RequestListener } from 'node:http'
import type { Cache } from '../middleware/index.ts'
import { askLocally } from './local-request.ts'

/** How long an entry is kept: longer than any measurement (ms). */
const LIFE_MS = 3_600_000
/** What is on its way to Redis at the same time. */
const BATCH = 500
/** Asked for after a filling, because what nobody can find was not filled. */
const SAMPLES = 20

export interface Content {
  readonly path: string
  readonly body: Buffer
  readonly tags: readonly string[]
}

interface Site {
  readonly cache: Cache
  /** The application with the cache in front of it. */
  readonly listener: RequestListener
}

/**
 * Puts responses where requests through a listener find them, without such a request for each: one is made, and what the cache has
 * kept of it is the model of all others.
 */
export class Filling {
  readonly #site: Site
  readonly #model: Model

  private constructor(site: Site, model: Model) {
    this.#site = site
    this.#model = model
  }

  static async start(site: Site, modelPath = '/model'): Promise<Filling> {
    await askLocally(site.listener, { path: modelPath })
    for (;;) {
      const { entries } = await site.cache.entries()
      const entry = entries.find(({ name }) => name === modelPath)
      if (entry !== undefined) return new Filling(site, { path: modelPath, entry: entry as Model['entry'] })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Fill with what `contentOf` says for each number below `to`, from `from` on. */
  async fill(from: number, to: number, contentOf: (id: number) => Content): Promise<void> {
    let pending: unknown[] = []
    for (let id = from; id < to; id++) {
      const kept = this.keep(contentOf(id))
      if (kept instanceof Promise) pending.push(kept)
      if (pending.length < BATCH) continue
      await Promise.all(pending)
      pending = []
    }
    await Promise.all(pending)
  }

  /** Keep one response. */
  keep({ path, body, tags }: Content): unknown {
    const { responses } = this.#site.cache.engine
    const { entry } = this.#model
    const [key, uri] = [this.keyOf(path), this.#there(entry.tags.find((tag) => tag.startsWith('u:'))?.slice(2), path)]
    const nothing = { kind: 'miss', reason: 'uri-miss', index: undefined } as const
    const fill = responses.begin({ primary: key, uri, path }, nothing, {}, false)
    const now = Date.now()
    const times = { cachedAt: now, staleAt: now + LIFE_MS, deleteAt: now + LIFE_MS }
    const fields = [...entry.value.fields, ['ETag', `"${path}"`] as const]
    return responses.commit(fill, { ...entry.value, ...times, fields, body, tags: tags.map((tag) => `t:${tag}`) }, {})
  }

  /** The key under which the cache keeps the response for a path. */
  keyOf(path: string): string {
    return this.#there(this.#model.entry.key, path)
  }

  /** Bytes of the field lines of such a response, as they are kept. */
  headBytes(path: string): number {
    return this.#model.entry.value.head.join('').length + `ETag"${path}"`.length
  }

  /** Make sure that requests find what was filled. @throws when they do not */
  async check(pathOf: (id: number) => string, count: number): Promise<void> {
    const { cache, listener } = this.#site
    const before = cache.stats().stats.hits
    for (let sample = 0; sample < SAMPLES; sample++) {
      await askLocally(listener, { path: pathOf(Math.floor((sample * count) / SAMPLES)) })
    }
    const hits = cache.stats().stats.hits - before
    if (hits !== SAMPLES) throw new Error(`Of ${SAMPLES} samples of ${count} filled responses only ${hits} are found`)
  }

  #there(text: string | undefined, path: string): string {
    return (text ?? '').replace(this.#model.path, path)
  }
}

interface Model {
  readonly path: string
  readonly entry: Parameters<Cache['engine']['responses']['forget']>[0]
}

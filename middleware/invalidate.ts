import type { ServerResponse } from 'node:http'
import type { Cache } from '../lib/cache.ts'
import { defaultCache } from '../lib/default-cache.ts'
import type { Engine } from '../lib/engine.ts'
import { isSafeMethod } from '../lib/http/methods.ts'
import { anyOf, flag, oneOf, readOptions, syncCallback, text, texts } from '../lib/options.ts'
import type { Ack, Awaitable, InvalidationOptions, InvalidationTargets } from '../lib/stores/store.ts'
import { invalidationTargets, type Targets } from '../lib/targets.ts'
import { type Watcher, watch } from './intercept.ts'
import { cacheOption, callSync } from './settings.ts'
import { type CacheRequest, callbackRequest, type Middleware } from './types.ts'

type TargetOption = readonly string[] | TargetCallback['targets']

interface TargetCallback {
  targets(req: CacheRequest, res: ServerResponse): readonly string[]
}

/** Options of `invalidateMiddleware`; each target is a list or a function of request and response. */
export interface InvalidateMiddlewareOptions {
  /** @default the process's default cache */
  readonly cache?: Cache
  readonly tags?: TargetOption
  readonly urls?: TargetOption
  readonly keys?: TargetOption
  readonly pattern?: string | TargetOption
  /** How far it must have reached before the answer goes out. @default 'all' */
  readonly ack?: 'redis' | 'all'
  /** Stale from now on instead of gone: it may stand in where stale-while-revalidate and stale-if-error permit. @default false */
  readonly soft?: boolean
}

const targetReader = anyOf(texts, syncCallback<TargetCallback['targets']>())

const OPTIONS = {
  cache: cacheOption,
  tags: targetReader,
  urls: targetReader,
  keys: targetReader,
  pattern: anyOf(text, targetReader),
  ack: oneOf('redis', 'all'),
  soft: flag,
} as const

/**
 * Make wrong what a successful write has changed: on unsafe methods answered with 2xx or 3xx, before the writer sees the answer.
 *
 * Works without a `cacheMiddleware` above. With Redis away the answer goes out when the time is up; the invalidation is retried.
 * @throws CacheError for wrong options
 * @example
 * app.use('/posts', invalidateMiddleware({ tags: (req) => [`post:${req.params.id}`, 'posts'] }))
 */
export function invalidateMiddleware(options: InvalidateMiddlewareOptions = {}): Middleware {
  const read = readOptions('invalidateMiddleware', options, OPTIONS)
  const { engine } = read.cache ?? defaultCache().cache
  return function invalidateMiddleware(req, res, next) {
    if (isSafeMethod(req.method ?? '')) return next()
    const valueOf = (name: string, option: string | TargetOption | undefined): readonly string[] => {
      if (typeof option === 'function') return callSync(name, () => option(callbackRequest(req), res))
      return option === undefined ? [] : [option].flat()
    }
    announceWrite(
      res,
      engine,
      () => {
        // DI-5: a write that failed has changed nothing.
        if (!hasSucceeded(res)) return NO_TARGETS
        const targets: Targets = {
          tags: valueOf('tags', read.tags),
          urls: valueOf('urls', read.urls),
          keys: valueOf('keys', read.keys),
          pattern: valueOf('pattern', read.pattern),
        }
        return invalidationTargets('invalidateMiddleware', targets)
      },
      { ack: read.ack ?? 'all', soft: read.soft ?? false },
    )
    next()
  }
}

const NO_TARGETS: InvalidationTargets = { tags: [], patterns: [], all: false }

function hasSucceeded({ statusCode }: ServerResponse): boolean {
  return statusCode >= 200 && statusCode < 400
}

const WRITES: unique symbol = Symbol.for('cachewell.writes') as never

/**
 * When this response's head is complete, invalidate what it says has changed and hold the answer until that is
 * confirmed or its time is up. However many announce it, a write invalidates once.
 */
export function announceWrite(
  res: ServerResponse,
  engine: Engine,
  targetsOf: TargetsOf,
  reach: Reach = { ack: 'all', soft: false },
): void {
  const holder = res as { [WRITES]?: Writes }
  if (holder[WRITES] === undefined) {
    holder[WRITES] = new Writes()
    watch(res, holder[WRITES])
  }
  holder[WRITES].add(engine, targetsOf, reach)
}

/** Names what a write has changed; a promise where Redis has to be asked. */
type TargetsOf = () => Awaitable<InvalidationTargets>

/** How far an invalidation is to go. */
type Reach = Required<Pick<InvalidationOptions, 'ack' | 'soft'>>

interface Announced {
  /** What becomes wrong, and what becomes stale. */
  readonly hard: TargetsOf[]
  readonly soft: TargetsOf[]
  ack: Ack
}

class Writes implements Watcher {
  readonly #announced = new Map<Engine, Announced>()

  add(engine: Engine, targetsOf: TargetsOf, { ack, soft }: Reach): void {
    const known: Announced = this.#announced.get(engine) ?? { hard: [], soft: [], ack: 'redis' }
    known[soft ? 'soft' : 'hard'].push(targetsOf)
    if (ack === 'all') known.ack = ack
    this.#announced.set(engine, known)
  }

  hold(): Promise<unknown> | undefined {
    const pending: Promise<unknown>[] = []
    for (const [engine, { hard, soft, ack }] of this.#announced) {
      const receipts = [
        invalidateAll(engine, hard, { ack, soft: false }),
        invalidateAll(engine, soft, { ack, soft: true }),
      ]
      pending.push(...receipts.filter((receipt) => receipt !== undefined))
    }
    return pending.length === 0 ? undefined : Promise.allSettled(pending)
  }
}

/** One invalidation for everything announced that is known at once; a promise only where others have to be asked or told. */
function invalidateAll(engine: Engine, targets: readonly TargetsOf[], reach: Reach): Promise<unknown> | undefined {
  const known: InvalidationTargets[] = []
  const late: Promise<unknown>[] = []
  for (const targetsOf of targets) {
    try {
      const named = targetsOf()
      if (!(named instanceof Promise)) known.push(named)
      else
        late.push(
          named.then((found) => invalidate(engine, [found], reach)).catch((cause) => tellUnnamed(engine, cause)),
        )
    } catch (cause) {
      tellUnnamed(engine, cause)
    }
  }
  const receipt = invalidate(engine, known, reach)
  if (receipt !== undefined) late.push(receipt)
  return late.length === 0 ? undefined : Promise.all(late)
}

/** What cannot be named cannot be made wrong: say so, loudly, and let the answer go. */
function tellUnnamed({ events }: Engine, cause: unknown): void {
  events.emit('error', { where: 'invalidate', cause })
  events.warn(`A write was not followed by its invalidation, because naming what it changed failed: ${String(cause)}`)
}

function invalidate(engine: Engine, named: readonly InvalidationTargets[], reach: Reach): Promise<unknown> | undefined {
  const tags = new Set(named.flatMap((targets) => targets.tags))
  const patterns = new Set(named.flatMap((targets) => targets.patterns))
  if (tags.size === 0 && patterns.size === 0) return undefined
  const receipt = engine.invalidate({ tags: [...tags], patterns: [...patterns], all: false }, reach)
  // Unconfirmed is not silent: the store has told it as an event and retries.
  return receipt instanceof Promise ? receipt.catch(() => undefined) : undefined
}

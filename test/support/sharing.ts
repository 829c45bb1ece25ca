import type { RequestListener } from 'node:http'
import { type Cache, createCache } from '../../lib/cache.ts'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { cacheMiddleware, invalidateMiddleware } from '../../middleware/index.ts'
import { listen, type Running } from './app.ts'
import { type Answer, exchange, type RequestShape } from './http-client.ts'

/** One "process": a cache of its own, and a server in front of the database that all of them share. */
export interface Node extends Running {
  readonly cache: Cache
  readonly warnings: string[]
  /** How often the handler ran. */
  readonly calls: number
  /** Let the handler answer what it has read only after this. */
  hold(until: Promise<void> | undefined): void
  send(shape?: RequestShape): Promise<Answer>
  get(path?: string): Promise<Answer>
}

/** What all nodes read and write. */
export type Database = Map<string, number>

const open = new Set<{ readonly cache: Cache; readonly running: Running }>()

/**
 * Start a node: `GET /x` answers with the row, `PUT /x` raises it and invalidates the tag `x`, `POST /x` raises it only. A row
 * has its path and `all` as tags. `answer`: another handler for reads.
 */
export async function startNode(database: Database, options: CacheOptions, answer?: RequestListener): Promise<Node> {
  const warnings: string[] = []
  const logger = { info() {}, warn: (message: string) => void warnings.push(message) }
  const cache = createCache({ namespace: 'shop', leaseMs: 40, logger, ...options })
  const middleware = cacheMiddleware({ cache, ttl: '1h', tags: (req) => [req.url?.slice(1) ?? '', 'all'] })
  const invalidate = invalidateMiddleware({ cache, tags: (req) => [req.url?.slice(1) ?? ''] })
  let calls = 0
  let held: Promise<void> | undefined
  const handler: RequestListener = (req, res) => {
    const path = req.url ?? ''
    if (req.method === 'GET') {
      calls++
      if (answer !== undefined) return answer(req, res)
      res.setHeader('Content-Type', 'text/plain')
      const row = String(database.get(path) ?? 0)
      if (held === undefined) res.end(row)
      else void held.then(() => res.end(row))
      return
    }
    database.set(path, (database.get(path) ?? 0) + 1)
    res.statusCode = 204
    res.end()
  }
  const running = await listen((req, res) => {
    middleware(req as never, res, () => {
      if (req.method === 'PUT') invalidate(req as never, res, () => handler(req, res))
      else handler(req, res)
    })
  })
  open.add({ cache, running })
  const send = (shape?: RequestShape): Promise<Answer> => exchange(running.port, shape)
  return {
    ...running,
    cache,
    warnings,
    get calls() {
      return calls
    },
    hold: (until) => {
      held = until
    },
    send,
    get: (path = '/') => send({ path }),
  }
}

/** Close what the test started; for `afterEach`. */
export async function closeNodes(): Promise<void> {
  await Promise.all([...open].map(({ cache, running }) => Promise.all([cache.close(), running.close()])))
  open.clear()
}

/** Whether an answer came from the store. */
export function isHit(answer: Answer): boolean {
  return answer.header('cache-status')?.startsWith('cachewell; hit') === true
}

/** Longer than any test may take (ms): a wait in vain must end, or the run never does. */
const VAIN_MS = 30_000

/** Ask again and again until the condition holds. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const startedAt = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedAt > VAIN_MS) throw new Error('It never happened')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/**
 * The peers that keep values, as their documentation sets them up, behind one face. They are installed for the benchmark alone, so
 * that their types are not at hand: what is used of each is written down here.
 */
export interface PeerValues {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string, tags: readonly string[]): Promise<unknown>
  /** With the protection against stampedes that it has. */
  getOrSet(key: string, make: () => Promise<string>): Promise<string>
  /** Undefined where it has no tags. */
  readonly invalidateTag: ((tag: string) => Promise<unknown>) | undefined
  clear(): Promise<unknown>
}

export type PeerName = 'cache-manager' | 'cacheable' | 'bentocache' | 'async-cache-dedupe'

/** In memory; in memory and Redis, where the peer has both; in Redis alone. */
export interface PeerOptions {
  readonly redis?: { readonly host: string; readonly port: number }
  /** In Redis alone. */
  readonly isBare?: boolean
  /** Room for so many: some reserve it all at once. */
  readonly maxItems?: number
}

const LIFE_MS = 3_600_000
const MAX_ITEMS = 100_000

const OPENERS: Readonly<Record<PeerName, (options: PeerOptions) => Promise<PeerValues>>> = {
  'cache-manager': openCacheManager,
  cacheable: openCacheable,
  bentocache: openBentocache,
  'async-cache-dedupe': openAsyncCacheDedupe,
}

export const PEER_NAMES: readonly PeerName[] = ['cache-manager', 'cacheable', 'bentocache', 'async-cache-dedupe']

/** Open a peer. @throws when it is not installed */
export function openValues(name: PeerName, options: PeerOptions = {}): Promise<PeerValues> {
  return OPENERS[name](options)
}

/** Those that are installed here. */
export async function installedValuePeers(): Promise<readonly PeerName[]> {
  const found = await Promise.all(
    PEER_NAMES.map((name) =>
      load(name).then(
        () => [name],
        () => [],
      ),
    ),
  )
  return found.flat()
}

/** The compiler is not to look for it. */
function load<T>(name: string): Promise<T> {
  return import(name) as Promise<T>
}

function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `redis://${host}:${port}`
}

interface CacheManager {
  createCache(options: object): {
    get(key: string): Promise<string | undefined>
    set(key: string, value: string, ttlMs: number): Promise<unknown>
    wrap(key: string, make: () => Promise<string>, ttlMs: number): Promise<string>
    clear(): Promise<unknown>
  }
}

interface KeyvRedis {
  createKeyv(url: string): object
  readonly default: new (url: string) => object
}

async function openCacheManager({ redis, isBare = false }: PeerOptions): Promise<PeerValues> {
  const { createCache } = await load<CacheManager>('cache-manager')
  const { Keyv } = await load<{ Keyv: new () => object }>('keyv')
  const shared = redis === undefined ? [] : [(await load<KeyvRedis>('@keyv/redis')).createKeyv(urlOf(redis))]
  const cache = createCache({ stores: isBare ? shared : [new Keyv(), ...shared] })
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value, LIFE_MS),
    getOrSet: (key, make) => cache.wrap(key, make, LIFE_MS),
    invalidateTag: undefined,
    clear: () => cache.clear(),
  }
}

interface CacheableModule {
  readonly Cacheable: new (
    options: object,
  ) => {
    get(key: string): Promise<string | undefined>
    set(key: string, value: string, options: object): Promise<unknown>
    getOrSet(key: string, make: () => Promise<string>, options: object): Promise<string>
    readonly tags: { invalidateTag(tag: string): Promise<unknown> }
    clear(): Promise<unknown>
    on(event: 'error', listener: () => void): unknown
  }
}

async function openCacheable({ redis }: PeerOptions): Promise<PeerValues> {
  const { Cacheable } = await load<CacheableModule>('cacheable')
  const secondary =
    redis === undefined ? {} : { secondary: new (await load<KeyvRedis>('@keyv/redis')).default(urlOf(redis)) }
  const cache = new Cacheable({ ...secondary, tags: true })
  cache.on('error', () => {})
  return {
    get: (key) => cache.get(key),
    set: (key, value, tags) => cache.set(key, value, { ttl: LIFE_MS, tags: [...tags] }),
    getOrSet: (key, make) => cache.getOrSet(key, make, { ttl: LIFE_MS }),
    invalidateTag: (tag) => cache.tags.invalidateTag(tag),
    clear: () => cache.clear(),
  }
}

interface Layers {
  useL1Layer(driver: unknown): Layers
  useL2Layer(driver: unknown): Layers
  useBus(driver: unknown): Layers
}

interface BentocacheModule {
  bentostore(): Layers
  readonly BentoCache: new (
    options: object,
  ) => {
    get(options: { key: string }): Promise<string | undefined>
    set(options: object): Promise<unknown>
    getOrSet(options: object): Promise<string>
    deleteByTag(options: { tags: readonly string[] }): Promise<unknown>
    clear(): Promise<unknown>
  }
}

interface BentocacheRedis {
  redisDriver(options: object): unknown
  redisBusDriver(options: object): unknown
}

async function openBentocache({ redis, isBare = false, maxItems = MAX_ITEMS }: PeerOptions): Promise<PeerValues> {
  const { BentoCache, bentostore } = await load<BentocacheModule>('bentocache')
  const { memoryDriver } = await load<{ memoryDriver(options: object): unknown }>('bentocache/drivers/memory')
  let layers = bentostore()
  if (!isBare) layers = layers.useL1Layer(memoryDriver({ maxItems }))
  if (redis !== undefined) {
    const { redisDriver, redisBusDriver } = await load<BentocacheRedis>('bentocache/drivers/redis')
    layers = layers.useL2Layer(redisDriver({ connection: redis }))
    if (!isBare) layers = layers.useBus(redisBusDriver({ connection: redis }))
  }
  const cache = new BentoCache({ default: 'it', stores: { it: layers } })
  return {
    get: (key) => cache.get({ key }),
    set: (key, value, tags) => cache.set({ key, value, tags: [...tags], ttl: LIFE_MS }),
    getOrSet: (key, make) => cache.getOrSet({ key, factory: make, ttl: LIFE_MS }),
    invalidateTag: (tag) => cache.deleteByTag({ tags: [tag] }),
    clear: () => cache.clear(),
  }
}

interface Dedupe {
  define(name: 'page', options: object, make: (key: string) => Promise<string | null>): unknown
  page(key: string): Promise<string | null>
  invalidateAll(references: string): Promise<unknown>
  clear(): Promise<unknown>
}

async function openAsyncCacheDedupe({ redis, maxItems = MAX_ITEMS }: PeerOptions): Promise<PeerValues> {
  const { createCache } = await load<{ createCache(options: object): Dedupe }>('async-cache-dedupe')
  const storage =
    redis === undefined
      ? { type: 'memory', options: { size: maxItems, invalidation: true } }
      : { type: 'redis', options: { client: await ioredisOf(redis), invalidation: true } }
  const cache = createCache({ ttl: LIFE_MS / 1_000, storage })
  // It knows only functions and what they bring: what is to be kept is brought by one.
  const brought = new Map<string, { readonly make: () => Promise<string>; readonly tags: readonly string[] }>()
  const references = (key: string): readonly string[] => brought.get(key)?.tags ?? []
  cache.define('page', { references }, async (key) => (await brought.get(key)?.make()) ?? null)
  const bring = async (key: string, make: () => Promise<string>, tags: readonly string[]): Promise<string> => {
    brought.set(key, { make, tags })
    const value = await cache.page(key)
    brought.delete(key)
    return value ?? ''
  }
  return {
    get: async (key) => (await cache.page(key)) ?? undefined,
    set: (key, value, tags) => bring(key, async () => value, tags),
    getOrSet: (key, make) => bring(key, make, []),
    invalidateTag: (tag) => cache.invalidateAll(tag),
    clear: () => cache.clear(),
  }
}

async function ioredisOf(options: object): Promise<unknown> {
  const { Redis } = await load<{
    Redis: new (options: object) => { on(event: 'error', listener: () => void): unknown }
  }>('ioredis')
  const client = new Redis(options)
  client.on('error', () => {})
  return client
}

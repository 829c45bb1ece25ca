import { CacheError, show } from './errors.ts'
import { inTime } from './in-time.ts'

/**
 * The only file that loads ioredis, and only when a URL or options are given: loading the package loads no optional peer. Types
 * here are structural, so that ioredis 5, ioredis 6, a Cluster and ioredis-mock all fit and the published types import none.
 */

/** The few methods of an ioredis `Redis` or `Cluster` that are used. */
export interface RedisClient {
  /** `'ready'` when commands can be sent. */
  readonly status?: string
  readonly isCluster?: boolean
  readonly options?: object
  mgetBuffer(...keys: string[]): Promise<(Buffer | null)[]>
  evalsha(sha: string, keys: number, ...args: (string | Buffer)[]): Promise<unknown>
  eval(script: string, keys: number, ...args: (string | Buffer)[]): Promise<unknown>
  unlink(...keys: string[]): Promise<number>
  scan(
    cursor: string,
    match: 'MATCH',
    pattern: string,
    count: 'COUNT',
    size: number,
  ): Promise<[cursor: string, keys: string[]]>
  ping(): Promise<string>
  info(section: string): Promise<string>
  config(subcommand: 'GET', parameter: string): Promise<unknown>
  publish(channel: string, message: string): Promise<unknown>
  subscribe(...channels: string[]): Promise<unknown>
  duplicate(...overrides: unknown[]): unknown
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
  connect(): Promise<unknown>
  quit(): Promise<unknown>
  disconnect(): void
}

/**
 * Options of ioredis; `cluster` names the nodes to start from and makes a Cluster client, `sentinels` with `name` follow the primary
 * that the Sentinels name.
 */
export interface RedisClientOptions {
  readonly host?: string
  readonly port?: number
  readonly path?: string
  readonly username?: string
  readonly password?: string
  readonly db?: number
  readonly tls?: object
  readonly keyPrefix?: string
  readonly cluster?: readonly { readonly host: string; readonly port: number }[]
  readonly sentinelPassword?: string
  /** Of the primary, to the Sentinels. */
  readonly name?: string
  readonly [option: string]: unknown
}

/** What the option `redis` takes; `''`, `false` and undefined mean memory only. */
export type RedisOption = string | false | undefined | RedisClient | RedisClientOptions

export interface RedisConnection {
  /** The client, made on first need; rejects with `ERR_CACHE_MISSING_PEER` when ioredis is not installed. */
  readonly client: Promise<RedisClient>
  /** Made here and ended by `close`; a client handed in is neither. */
  readonly owned: boolean
  readonly isCluster: boolean
  /** Where it goes, without credentials, for messages. */
  readonly label: string
  /** The last fault of the connection, without credentials. */
  readonly fault: string | undefined
  /** Drop a link on which nothing answers, so that a new one is made. Does nothing to a client handed in. */
  reset(): void
  /** End the client if it was made here. */
  close(): Promise<void>
}

const EXPECTED = 'a URL (redis://, rediss://, unix://), an ioredis client, ioredis options, or false'
/** How long `close` waits for the answers still due (ms). */
const QUIT_MS = 250

/**
 * Check the option `redis` without connecting: true where it names a Redis, false for memory only.
 *
 * @throws {CacheError} `ERR_CACHE_BAD_CLIENT` for anything else than a URL, an ioredis client, options or nothing.
 */
export function checkRedisOption(option: unknown): boolean {
  if (option === undefined || option === false || option === '') return false
  if (typeof option === 'string') checkUrl(option)
  else checkObject(option)
  return true
}

/**
 * Connect to Redis, or use the client handed in as it is. Never rejects because Redis is away: the client goes on trying, at
 * least every 250 ms.
 *
 * @param warn called once when settings of a handed-in client are unsafe for a cache
 * @throws {CacheError} `ERR_CACHE_BAD_CLIENT` as `checkRedisOption`, and where the option means memory only.
 */
export function connectRedis(option: RedisOption, warn: (message: string) => void): RedisConnection {
  if (!checkRedisOption(option)) throw badClient(`got ${show(option)}; it takes ${EXPECTED}`)
  if (typeof option !== 'object' || !isClient(option)) return new OwnConnection(option as string | RedisClientOptions)
  warnAboutSettings(option, warn)
  return borrowed(option)
}

/**
 * Another connection to where a client goes: its options with our settings over them, not connected yet. Its errors are heard and
 * ignored, because nothing relies on it; whoever asked for it ends it.
 *
 * @throws whatever the client throws when it cannot be duplicated
 */
export function duplicateOf(client: RedisClient): RedisClient {
  // Whoever subscribes does it at each `ready`, the first one included.
  return duplicated(client, CLIENT_SETTINGS, { autoResubscribe: false })
}

/**
 * The same for a library that has to wait for Redis instead of being told that it is away, and that prefixes its keys itself: it
 * connects at once, and queues commands meanwhile.
 *
 * @throws whatever the client throws when it cannot be duplicated
 */
export function patientDuplicateOf(client: RedisClient): RedisClient {
  return duplicated(client, PATIENT_SETTINGS, NO_PREFIX)
}

function duplicated(client: RedisClient, settings: ClientSettings, own: object): RedisClient {
  const duplicate = (
    client.isCluster === true
      ? client.duplicate([], { ...clusterSettings({ ...redisOptionsOf(client), ...own }, settings), ...own })
      : client.duplicate({ ...settings, ...own })
  ) as RedisClient
  duplicate.on('error', () => {})
  return duplicate
}

/**
 * Channels are divided neither by the number of the database nor by the prefix of keys: this text, in front of their names, does
 * it, so that strangers do not disturb each other.
 */
export function channelPrefixOf(client: RedisClient): string {
  const database = setting(client, 'db')
  return `${keyPrefixOf(client)}${typeof database === 'number' && database > 0 ? `${database}:` : ''}`
}

/** Settings of the clients made here: fail at once instead of queueing, and come back quickly. */
export const CLIENT_SETTINGS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: 1_000,
  keepAlive: 5_000,
  retryStrategy: (attempt: number): number => Math.min(50 * attempt, 250),
  // A demoted master answers READONLY for ever: only a new connection can reach its successor.
  reconnectOnError: (error: Error): boolean => error.message.startsWith('READONLY'),
} as const

const NO_PREFIX = { keyPrefix: '' } as const
const PATIENT_SETTINGS = {
  ...CLIENT_SETTINGS,
  lazyConnect: false,
  enableOfflineQueue: true,
  maxRetriesPerRequest: null,
  autoResendUnfulfilledCommands: true,
} as const

type ClientSettings = typeof CLIENT_SETTINGS | typeof PATIENT_SETTINGS

function borrowed(client: RedisClient): RedisConnection {
  return {
    client: Promise.resolve(client),
    owned: false,
    isCluster: client.isCluster === true,
    label: 'the client handed in',
    fault: undefined,
    reset: () => {},
    close: async () => {},
  }
}

class OwnConnection implements RedisConnection {
  readonly owned = true
  readonly isCluster: boolean
  readonly label: string
  readonly client: Promise<RedisClient>
  readonly #secrets: readonly string[]
  #live: RedisClient | undefined
  #fault: string | undefined
  #closed = false

  constructor(option: string | RedisClientOptions) {
    this.isCluster = typeof option === 'object' && option.cluster !== undefined
    this.label = labelOf(option)
    this.#secrets = secretsOf(option)
    this.client = this.#open(option)
    // Whoever awaits `client` sees the rejection; nobody awaiting is no reason to end the process.
    this.client.catch(() => {})
  }

  get fault(): string | undefined {
    return this.#fault
  }

  reset(): void {
    if (this.#live !== undefined) dropLinks(this.#live)
  }

  async close(): Promise<void> {
    this.#closed = true
    const client = this.#live
    if (client === undefined) return
    if (client.status !== 'ready') {
      client.disconnect()
      return
    }
    await inTime(client.quit(), QUIT_MS)
    client.disconnect()
  }

  async #open(option: string | RedisClientOptions): Promise<RedisClient> {
    const client = await makeClient(option)
    client.on('error', (error) => {
      this.#fault = this.#mask(error instanceof Error ? error.message || error.name : String(error))
    })
    client.on('ready', () => {
      this.#fault = undefined
    })
    if (this.#closed) {
      client.disconnect()
      return client
    }
    this.#live = client
    // A refused first attempt is retried by the client; it is told through `error` and the guard.
    client.connect().catch(() => {})
    return client
  }

  #mask(text: string): string {
    return this.#secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
  }
}

async function makeClient(option: string | RedisClientOptions): Promise<RedisClient> {
  const { Redis, Cluster } = await import('ioredis').catch((cause: unknown) => {
    throw new CacheError('ERR_CACHE_MISSING_PEER', 'The redis option needs ioredis ^5.11 or ^6. Run: npm i ioredis', {
      cause,
    })
  })
  if (typeof option === 'string') {
    if (option.startsWith('unix:'))
      return new Redis({ ...CLIENT_SETTINGS, path: decodeURIComponent(new URL(option).pathname) })
    return new Redis(option, CLIENT_SETTINGS)
  }
  const { cluster, ...rest } = option
  if (cluster === undefined) return new Redis({ ...rest, ...CLIENT_SETTINGS })
  return new Cluster([...cluster], { ...clusterSettings(rest), scaleReads: 'master' })
}

function clusterSettings(redisOptions: object, settings: ClientSettings = CLIENT_SETTINGS) {
  const { lazyConnect, enableOfflineQueue, retryStrategy, ...others } = settings
  return {
    lazyConnect,
    enableOfflineQueue,
    clusterRetryStrategy: retryStrategy,
    slotsRefreshTimeout: settings.connectTimeout,
    redisOptions: { ...redisOptions, ...others },
  }
}

function isClient(value: object): value is RedisClient {
  return (['mgetBuffer', 'evalsha', 'on'] as const).every((method) => typeof Reflect.get(value, method) === 'function')
}

function checkObject(option: unknown): void {
  if (typeof option !== 'object' || option === null || Array.isArray(option)) {
    throw badClient(`got ${show(option)}; it takes ${EXPECTED}`)
  }
  if (isClient(option)) {
    checkClient(option)
    return
  }
  const has = (method: string): boolean => typeof Reflect.get(option, method) === 'function'
  if (has('sendCommand')) {
    throw badClient('got a node-redis client; cachewell needs ioredis ^5.11 or ^6 (npm i ioredis), or a URL')
  }
  if (has('get') || has('on'))
    throw badClient(`got ${show(option)}, which is not an ioredis client; it takes ${EXPECTED}`)
}

function checkClient(client: RedisClient): void {
  if (client.isCluster !== true) return
  const reads = setting(client, 'scaleReads')
  if (reads === undefined || reads === 'master') return
  // A replica may not have seen an invalidation that was acknowledged.
  throw badClient(
    `got a Cluster client with scaleReads ${show(reads)}; it must read from masters: scaleReads: 'master'`,
  )
}

function warnAboutSettings(client: RedisClient, warn: (message: string) => void): void {
  const problems: string[] = []
  if (setting(client, 'enableOfflineQueue') === true) problems.push('enableOfflineQueue: true')
  const retries = setting(client, 'maxRetriesPerRequest')
  if (retries === null || (typeof retries === 'number' && retries >= 20))
    problems.push(`maxRetriesPerRequest: ${retries}`)
  if (problems.length === 0) return
  warn(
    `The Redis client handed in has ${problems.join(' and ')}: while Redis is away commands pile up in it. ` +
      'Requests still wait no longer than deadlineMs. Better: enableOfflineQueue: false, maxRetriesPerRequest: 0, or pass a URL.',
  )
}

function setting(client: RedisClient, name: string): unknown {
  if (client.options === undefined) return undefined
  const own: unknown = Reflect.get(client.options, name)
  return own === undefined ? Reflect.get(redisOptionsOf(client), name) : own
}

/** What a Cluster client makes the connections to its nodes with. */
function redisOptionsOf(client: RedisClient): object {
  const options: unknown = client.options === undefined ? undefined : Reflect.get(client.options, 'redisOptions')
  return typeof options === 'object' && options !== null ? options : {}
}

/** The prefix ioredis puts before every key, which `SCAN` neither adds nor removes. */
export function keyPrefixOf(client: RedisClient): string {
  const prefix = setting(client, 'keyPrefix')
  return typeof prefix === 'string' ? prefix : ''
}

/** The name in Redis of whom the client signs in as. */
export function userOf(client: RedisClient): string {
  const username = setting(client, 'username')
  return typeof username === 'string' && username !== '' ? username : 'default'
}

/** The masters that together hold all keys. */
export function nodesOf(client: RedisClient): readonly RedisClient[] {
  const nodes: unknown = client.isCluster === true ? Reflect.get(client, 'nodes') : undefined
  return typeof nodes === 'function' ? (nodes.call(client, 'master') as RedisClient[]) : [client]
}

/** Drop the links of a client without a word, so that it makes new ones. */
export function dropLinks(client: RedisClient): void {
  for (const node of nodesOf(client)) destroyLink(node)
}

function destroyLink(node: RedisClient): void {
  if (node.status !== 'ready' && node.status !== 'connect') return
  const stream: unknown = Reflect.get(node, 'stream')
  if (typeof stream !== 'object' || stream === null) return
  const destroy: unknown = Reflect.get(stream, 'destroy')
  if (typeof destroy === 'function') destroy.call(stream)
}

function checkUrl(text: string): void {
  if (!URL.canParse(text))
    throw badClient(`got ${show(masked(text))}, which is not a URL; for example redis://localhost:6379`)
  const { protocol } = new URL(text)
  if (protocol === 'redis:' || protocol === 'rediss:' || protocol === 'unix:') return
  const hint = text.includes('//') ? 'use redis://, rediss:// or unix://' : `did you mean redis://${masked(text)}?`
  throw badClient(`got ${show(masked(text))}; ${hint}`)
}

function badClient(what: string): CacheError {
  return new CacheError('ERR_CACHE_BAD_CLIENT', `The redis option ${what}.`)
}

function labelOf(option: string | RedisClientOptions): string {
  if (typeof option === 'string') return masked(option)
  const { cluster, path } = option
  if (cluster !== undefined) return `cluster ${cluster.map((node) => addressOf(node, 6379)).join(', ')}`
  const sentinels = sentinelsOf(option)
  if (sentinels === undefined) return path ?? addressOf(option, 6379)
  return `${option.name ?? 'primary'} of sentinels ${sentinels.map((node) => addressOf(node, 26379)).join(', ')}`
}

interface Address {
  readonly host?: string
  readonly port?: number
}

function sentinelsOf({ sentinels }: RedisClientOptions): readonly Address[] | undefined {
  return Array.isArray(sentinels) ? (sentinels as readonly Address[]) : undefined
}

function addressOf({ host, port }: Address, usualPort: number): string {
  return `${host ?? 'localhost'}:${port ?? usualPort}`
}

function masked(url: string): string {
  return url.replace(/(\/\/[^/@:]*):[^@]*@/, '$1:***@').replace(/([?&](?:password|username)=)[^&]*/gi, '$1***')
}

function secretsOf(option: string | RedisClientOptions): readonly string[] {
  if (typeof option !== 'string') return [option.password, option.sentinelPassword].filter(isSecret)
  const { password } = new URL(option)
  return password === '' ? [] : [password, decodeURIComponent(password)]
}

function isSecret(text: string | undefined): text is string {
  return text !== undefined && text !== ''
}

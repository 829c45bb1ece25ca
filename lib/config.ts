import { type Duration, parseDuration, parseMs } from './duration.ts'
import { CacheError, show } from './errors.ts'
import type { RedisClientOptions } from './redis.ts'
import { parseSize } from './size.ts'

/** A set of environment variables: `process.env` and any object like it. */
export type Environment = Readonly<Record<string, string | undefined>>

interface ClusterNode {
  readonly host: string
  readonly port: number
}

/** The options of `createCache` that environment variables set; what is not set is absent. */
export interface EnvironmentOptions {
  readonly redis?: string | false | RedisClientOptions
  readonly namespace?: string
  readonly poolSize?: number
  readonly ttl?: Duration | false
  readonly compression?: boolean | { readonly threshold: number }
}

export interface EnvironmentConfig {
  readonly options: EnvironmentOptions
  /** False when `ENABLE_API_CACHE` turns the default cache off. */
  readonly enabled: boolean
  /** Variables that ask for something this release does not do. */
  readonly notYet: readonly string[]
}

/** One variable, for documentation. */
export interface EnvironmentVariable {
  readonly name: string
  /** Completes the sentence "Use ...". */
  readonly expects: string
  /** The option it sets; undefined when it is only checked in this release. */
  readonly sets: string | undefined
  readonly help: string
}

/**
 * The options of `createCache` that the environment asks for; invalid values are all reported at once. Nothing else of the
 * package reads the environment but the default cache.
 * @example createCache({ ...configFromEnv(process.env), version: 2 })
 * @throws CacheError `ERR_CACHE_BAD_ENV`: a line for each variable, with its name, value and fix; passwords are masked
 */
export function configFromEnv(env: Environment): EnvironmentOptions {
  return readEnvironment(env).options
}

/** The same, with what concerns the default cache only. */
export function readEnvironment(env: Environment): EnvironmentConfig {
  const problems: string[] = []
  const values: Partial<Values> = {}
  const notYet: string[] = []
  for (const [name, variable] of Object.entries<Variable<unknown>>(VARIABLES)) {
    const text = textOf(env, name)
    if (text === undefined) continue
    // Spaces around a value are slips of an .env file; only in a password they may be meant.
    const value = variable.kind.parse(variable.kind === anyText ? text : text.trim())
    if (value === undefined) {
      problems.push(problem(name, text, variable.kind.expects))
      continue
    }
    Reflect.set(values, name, value)
    if (variable.sets === undefined && value !== variable.already) notYet.push(name)
  }
  const nodes = readNodes(env, problems)
  // An empty variable is no variable, so that a line without a value in a compose file does no harm; an empty URL says "none".
  const url = env['REDIS_URL']?.trim() === '' ? false : values.REDIS_URL
  problems.push(...contradictions(values, nodes, url))
  if (problems.length > 0) throw badEnvironment(problems)

  return {
    options: optionsFrom(values, redisFrom(values, nodes, url)),
    enabled: values.ENABLE_API_CACHE ?? true,
    notYet,
  }
}

/** What a text in the environment may be; `parse` answers undefined when it is not. */
interface Kind<T> {
  readonly expects: string
  parse(text: string): T | undefined
}

interface Variable<T> {
  readonly kind: Kind<T>
  readonly sets: string | undefined
  readonly help: string
  /** The value that asks for what this release does anyway. */
  readonly already?: T
}

const yesNo: Kind<boolean> = {
  expects: 'true or false',
  parse: (text) => {
    const word = text.toLowerCase()
    if (['true', '1', 'yes', 'on'].includes(word)) return true
    return ['false', '0', 'no', 'off'].includes(word) ? false : undefined
  },
}

const anyText: Kind<string> = { expects: 'any text', parse: (text) => text }

const port: Kind<number> = whole(1, 65_535)

const url: Kind<string> = {
  expects: 'redis://[:password@]host:port[/db], rediss:// for TLS, or leave it empty for memory only',
  parse: (text) => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined
    if (parsed?.protocol === 'unix:') return parsed.pathname === '' ? undefined : text
    if (parsed?.protocol !== 'redis:' && parsed?.protocol !== 'rediss:') return undefined
    return parsed.hostname !== '' && /^\/?\d*$/.test(parsed.pathname) ? text : undefined
  },
}

const host: Kind<string> = {
  expects: 'a host name or address without scheme and port (a URL goes into REDIS_URL)',
  parse: (text) => (/^[\w.:%-]+$/.test(text) && !/^[^:]+:\d+$/.test(text) ? text : undefined),
}

const node: Kind<ClusterNode> = {
  expects: 'host:port, such as 10.0.0.1:6379 or [::1]:6379',
  parse: (text) => {
    const [, bracketed, plain, digits] = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d+)$/i.exec(text) ?? []
    const name = bracketed ?? plain
    const number = port.parse(digits ?? '')
    return name === undefined || number === undefined ? undefined : { host: name, port: number }
  },
}

// Braces would change which part of a key decides its slot in a Cluster.
const prefix: Kind<string> = {
  expects: 'up to 100 letters, digits and punctuation without spaces or braces',
  parse: (text) => (/^[!-z|~]{1,100}$/.test(text) ? text.replace(/:+$/, '') || undefined : undefined),
}

const lifetime: Kind<Duration | false> = {
  expects: "a number of seconds, a duration such as '5m', or false for no lifetime of our own",
  parse: (text) => {
    if (text.toLowerCase() === 'false') return false
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text
    return attempt(() => parseDuration('', value)) === undefined ? undefined : value
  },
}

const interval: Kind<number> = {
  expects: "a number of milliseconds or a duration such as '50ms'",
  parse: (text) => attempt(() => parseMs('', /^\d+$/.test(text) ? Number(text) : text)),
}

const bytes: Kind<number> = {
  expects: "a number of bytes or a size such as '64kb'",
  parse: (text) => attempt(() => parseSize('', /^\d+$/.test(text) ? Number(text) : text)),
}

const POLICIES: readonly string[] = [
  'noeviction',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
]

const evictionPolicy: Kind<string> = {
  expects: `one of ${POLICIES.join(', ')}`,
  parse: (text) => (POLICIES.includes(text) ? text : undefined),
}

/** Every variable but the numbered `REDIS_NODE_1..n`. */
const VARIABLES = {
  REDIS_ENABLED: variable(
    yesNo,
    'redis',
    'false: memory only, whatever else is set; true: Redis, localhost by default',
  ),
  REDIS_URL: variable(url, 'redis', 'the server; wins over the parts below; empty: memory only'),
  REDIS_HOST: variable(host, 'redis', 'the server, localhost by default'),
  REDIS_PORT: variable(port, 'redis', 'its port, 6379 by default'),
  REDIS_PASSWORD: variable(anyText, 'redis', 'its password, or that of the Cluster'),
  REDIS_DB: variable(whole(0, 65_535), 'redis', 'the number of the database, 0 by default'),
  REDIS_CACHE_DB: variable(whole(0, 65_535), 'redis', 'the same for the cache alone; wins over REDIS_DB'),
  REDIS_TLS_ENABLED: variable(yesNo, 'redis', 'TLS for the parts (with a URL write rediss://)'),
  REDIS_KEY_PREFIX: variable(prefix, 'namespace', 'what all keys in Redis start with'),
  CACHE_KEY_PREFIX: variable(prefix, 'namespace', 'the same; wins over REDIS_KEY_PREFIX'),
  CACHE_DEFAULT_TTL: variable(lifetime, 'ttl', 'the lifetime of responses that say nothing about theirs'),
  CACHE_ENABLE_COMPRESSION: variable(yesNo, 'compression', 'whether large values are compressed in Redis'),
  CACHE_COMPRESSION_THRESHOLD: variable(bytes, 'compression', 'how large a value has to be for that, 1024 by default'),
  ENABLE_API_CACHE: variable(yesNo, 'default cache', 'false: the default cache lets every request pass'),
  REDIS_POOL_MIN: variable(
    whole(0, 1_000),
    'poolSize',
    'the same where REDIS_POOL_MAX is not set; all connections are opened at once',
  ),
  REDIS_POOL_MAX: variable(whole(1, 1_000), 'poolSize', 'over how many connections entries are read, 1 by default'),
  REDIS_MAX_RETRIES_PER_REQUEST: later(whole(0, 1_000), 'a request to Redis is not repeated: it becomes a miss', 0),
  REDIS_RETRY_DELAY_ON_FAILOVER: later(interval, 'how long a Cluster waits while a replica takes over'),
  REDIS_ACQUIRE_TIMEOUT: later(interval, 'how long to wait for a connection'),
  REDIS_MAX_MEMORY: later(bytes, 'the memory limit of the server'),
  REDIS_MAX_MEMORY_POLICY: later(evictionPolicy, 'what the server does at its limit'),
  CACHE_ENABLE_VERSIONING: later(yesNo, 'versions of namespaces', false),
  CACHE_MONITORING_ENABLED: later(yesNo, 'alerts and reports', false),
  ENABLE_REDIS_RATE_LIMITING: later(yesNo, 'rate limits on the same Redis', false),
} as const

/** Every variable this release knows, in the order of the documentation. */
export const ENVIRONMENT_VARIABLES: readonly EnvironmentVariable[] = [
  ...Object.entries<Variable<unknown>>(VARIABLES).map(([name, { kind, sets, help }]) => ({
    name,
    expects: kind.expects,
    sets,
    help,
  })),
  {
    name: 'REDIS_NODE_1..n',
    expects: node.expects,
    sets: 'redis',
    help: 'nodes of a Redis Cluster; win over REDIS_HOST',
  },
]

type Values = { -readonly [K in keyof typeof VARIABLES]: (typeof VARIABLES)[K] extends Variable<infer T> ? T : never }

function variable<T>(kind: Kind<T>, sets: string, help: string): Variable<T> {
  return { kind, sets, help }
}

function later<T>(kind: Kind<T>, help: string, already?: T): Variable<T> {
  return { kind, sets: undefined, help, ...(already === undefined ? {} : { already }) }
}

function whole(min: number, max: number): Kind<number> {
  return {
    expects: `a whole number from ${min} to ${max}`,
    parse: (text) => {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
      return value >= min && value <= max ? value : undefined
    },
  }
}

function readNodes(env: Environment, problems: string[]): readonly ClusterNode[] {
  return Object.keys(env)
    .flatMap((name) => /^REDIS_NODE_(\d+)$/.exec(name)?.[1] ?? [])
    .sort((a, b) => Number(a) - Number(b))
    .flatMap((number) => {
      const name = `REDIS_NODE_${number}`
      const text = textOf(env, name)
      if (text === undefined) return []
      const value = node.parse(text.trim())
      if (value === undefined) problems.push(problem(name, text, node.expects))
      return value ?? []
    })
}

function contradictions(
  values: Partial<Values>,
  nodes: readonly ClusterNode[],
  url: string | false | undefined,
): readonly string[] {
  const found: string[] = []
  const { REDIS_POOL_MIN: min, REDIS_POOL_MAX: max } = values
  if (min !== undefined && max !== undefined && min > max) {
    found.push(`REDIS_POOL_MIN: ${min} is more than REDIS_POOL_MAX (${max}). Use a smaller number.`)
  }
  const name = values.REDIS_CACHE_DB === undefined ? 'REDIS_DB' : 'REDIS_CACHE_DB'
  if (nodes.length > 0 && url === undefined && (values[name] ?? 0) !== 0) {
    found.push(`${name}: ${values[name]} is not possible with REDIS_NODE_1..n. Use 0: a Cluster has one database.`)
  }
  return found
}

function redisFrom(
  values: Partial<Values>,
  nodes: readonly ClusterNode[],
  url: string | false | undefined,
): EnvironmentOptions['redis'] {
  if (values.REDIS_ENABLED === false) return false
  if (url !== undefined) return url
  const { REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password } = values
  const shared = {
    ...(password === undefined ? {} : { password }),
    ...(values.REDIS_TLS_ENABLED === true ? { tls: {} } : {}),
  }
  if (nodes.length > 0) return { cluster: nodes, ...shared }
  if (host === undefined && port === undefined && values.REDIS_ENABLED !== true) return undefined
  const db = values.REDIS_CACHE_DB ?? values.REDIS_DB
  return { host: host ?? 'localhost', port: port ?? 6379, ...shared, ...(db === undefined ? {} : { db }) }
}

function optionsFrom(values: Partial<Values>, redis: EnvironmentOptions['redis']): EnvironmentOptions {
  const namespace = values.CACHE_KEY_PREFIX ?? values.REDIS_KEY_PREFIX
  const ttl = values.CACHE_DEFAULT_TTL
  const threshold = values.CACHE_COMPRESSION_THRESHOLD
  const wanted = values.CACHE_ENABLE_COMPRESSION
  const poolSize = values.REDIS_POOL_MAX ?? (values.REDIS_POOL_MIN || undefined)
  const compression = wanted !== false && threshold !== undefined ? { threshold } : wanted
  return {
    ...(redis === undefined ? {} : { redis }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(poolSize === undefined ? {} : { poolSize }),
    ...(ttl === undefined ? {} : { ttl }),
    ...(compression === undefined ? {} : { compression }),
  }
}

function textOf(env: Environment, name: string): string | undefined {
  const text = env[name]
  return text === undefined || text.trim() === '' ? undefined : text
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}

function problem(name: string, text: string, expects: string): string {
  return `${name}: ${show(masked(text))} is not possible here. Use ${expects}.`
}

/** Hide whatever may be a password: all before an `@`, a query, and all of a URL that cannot be taken apart. */
function masked(text: string): string {
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(text)?.[0] ?? ''
  if (scheme !== '' && !URL.canParse(text)) return `${scheme}***`
  const rest = text.slice(scheme.length)
  return scheme + rest.replace(/^.*@/s, '***@').replace(/\?.*$/s, '?***')
}

function badEnvironment(problems: readonly string[]): CacheError {
  const count = problems.length === 1 ? 'An environment variable is' : `${problems.length} environment variables are`
  return new CacheError('ERR_CACHE_BAD_ENV', `${count} not valid:\n${problems.map((line) => `  ${line}`).join('\n')}`)
}

import { parseArgs } from 'node:util'

/** What the command line of `npm run traffic` asks for. */
export interface CommandLine {
  readonly help: boolean
  readonly log: string | undefined
  readonly requests: number
  readonly seed: number
  readonly concurrency: number
  readonly writes: number
  readonly redis: string | undefined
  readonly json: boolean
}

export const HELP = `npm run traffic                send generated traffic to the community demo
npm run traffic -- --log FILE  replay an access log instead

Generated traffic
  --requests N      how many requests (300000)
  --seed N          the same seed sends the same mix (1)
  --concurrency N   connections in use at once (32)
  --writes SHARE    share of writes, 0 to 1 (0.02)
  --redis URL       use this Redis (REDIS_URL; memory only without)
  --json            print the report as JSON

  The demo runs in a process of its own on a copy of the seeded data in DEMO_DATA (.demo). Each body says which write it
  contains; one that is older than a write it depends on, acknowledged before the read began, is wrong. Several times during
  the run, and for every URL at its end, cached bodies are also compared with what the database says. A query is a statement
  that reads or writes rows. Exit code 1 when a body was wrong or a request failed.

Replay
  --log FILE        an access log in common or combined format
  --json            print the report as JSON

  Sends the requests of the log, in its order, one after the other, to an origin behind a cache in memory, three times: with a
  ttl of 60s, 5m and 1h. The cache's clock follows the times in the log, so that lifetimes are those of the real time line
  while the replay runs as fast as it can. The origin answers with the status and the size of the line; a hit is answered
  with what was stored when the cache was filled. Methods are sent as logged; bodies of requests are not in a log.
    304             sent as a plain GET, answered 200 with the size last seen for the URL with a 200
    206             sent with Range: bytes=0-(size-1), the origin has the size last seen with a 200, at least the line's
    416             sent with a Range behind the end, the origin has the size last seen with a 200
    '-' as size     no body
  Lines that cannot be parsed or sent are counted and skipped. --redis and REDIS_URL do not apply.`

const TRAFFIC_ONLY = ['requests', 'seed', 'concurrency', 'writes', 'redis'] as const

/**
 * Read the arguments; the environment gives the Redis.
 * @throws with one line that names the option and what it takes
 */
export function readCommandLine(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): CommandLine {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' },
      log: { type: 'string' },
      requests: { type: 'string' },
      seed: { type: 'string' },
      concurrency: { type: 'string' },
      writes: { type: 'string' },
      redis: { type: 'string' },
      json: { type: 'boolean' },
    },
  })
  const misplaced = values.log === undefined ? undefined : TRAFFIC_ONLY.find((name) => values[name] !== undefined)
  if (misplaced !== undefined) throw new Error(`--${misplaced} does not apply to --log.`)
  return {
    help: values.help ?? false,
    log: values.log,
    requests: wholeNumber('requests', values.requests ?? '300000', { from: 1, to: 1e9 }),
    seed: wholeNumber('seed', values.seed ?? '1', { from: 0, to: 2 ** 31 - 1 }),
    concurrency: wholeNumber('concurrency', values.concurrency ?? '32', { from: 1, to: 1_000 }),
    writes: share('writes', values.writes ?? '0.02'),
    redis: values.redis ?? env.REDIS_URL,
    json: values.json ?? false,
  }
}

function wholeNumber(option: string, text: string, { from, to }: { from: number; to: number }): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= from && value <= to) return value
  throw new Error(`--${option} takes a whole number from ${from} to ${to}, not ${JSON.stringify(text)}.`)
}

function share(option: string, text: string): number {
  const value = Number(text)
  if (/^\d*\.?\d+$/.test(text) && value <= 1) return value
  throw new Error(`--${option} takes a number from 0 to 1, not ${JSON.stringify(text)}.`)
}

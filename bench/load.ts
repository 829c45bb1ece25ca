import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'

/** What the clients ask for. */
export interface Ask {
  /** Beside `Host` and `Connection`. */
  readonly fields?: Readonly<Record<string, string>>
  /** @default the root */
  readonly path?: string
  /** In place of one path as many URLs, in turn; infinite for one that was never asked for. @default 1 */
  readonly keys?: number
}

/** What the clients saw. */
export interface Load {
  readonly requests: number
  readonly seconds: number
  /** ms */
  readonly p50: number
  readonly p99: number
}

/** So many clients, each with one request at a time on a connection that it keeps. */
export const CONNECTIONS = 32

const WRK_SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url))

const WRK_TICK_MS = 100
const PATIENCE_MS = 5_000

/** `wrk` where there is one, since it leaves the machine to the server; else autocannon. */
export const LOAD_GENERATOR: 'wrk' | 'autocannon' =
  spawnSync('wrk', ['--version'], { stdio: 'ignore' }).error === undefined ? 'wrk' : 'autocannon'

/** Let the clients ask for `ms`, longer where nothing is answered by then. Throws when an answer is an error. */
export async function load(port: number, ask: Ask, ms: number): Promise<Load> {
  const { failures, ...seen } = await (LOAD_GENERATOR === 'wrk' ? byWrk : byAutocannon)(port, ask, ms)
  // No key twice, also of requests that were not answered any more.
  asked += seen.requests + CONNECTIONS
  if (failures > 0) throw new Error(`127.0.0.1:${port}: ${failures} answers failed beside ${seen.requests}`)
  if (seen.requests > 0) return seen
  if (ms > PATIENCE_MS) throw new Error(`127.0.0.1:${port}: no answer in ${ms} ms`)
  return load(port, ask, ms * 2)
}

interface Seen extends Load {
  readonly failures: number
}

let asked = 0

async function byWrk(port: number, ask: Ask, ms: number): Promise<Seen> {
  const { fields = {}, path = '/', keys = 1 } = ask
  const headers = Object.entries({ Connection: 'keep-alive', ...fields }).flatMap(([name, value]) => [
    '-H',
    `${name}: ${value}`,
  ])
  const numbers = [asked, Number.isFinite(keys) ? keys : 0].map(String)
  const url = `http://127.0.0.1:${port}${path}`
  const pace = ['-t1', `-c${CONNECTIONS}`, '-d600s', '--timeout', '60s']
  const args = [...pace, '-s', WRK_SCRIPT, ...headers, url, '--', ...numbers]
  const child = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  // It takes whole seconds only; a signal ends it earlier, with its summary, at the next tenth of a second. One that comes before
  // it waits does not end the waiting, so there is another.
  const interrupt = (): boolean => child.kill('SIGINT')
  const timers = [setTimeout(interrupt, ms - WRK_TICK_MS / 2), setInterval(interrupt, ms + WRK_TICK_MS)]
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  for (const timer of timers) clearTimeout(timer)
  // On a machine so busy that it had not begun.
  if (signal === 'SIGINT') return byWrk(port, ask, ms * 2)
  const summary = /^SUMMARY (.*)$/m.exec(output)?.[1]
  if (summary === undefined) throw new Error(`wrk has no summary:\n${output}`)
  return JSON.parse(summary) as Seen
}

async function byAutocannon(port: number, { fields = {}, path = '/', keys = 1 }: Ask, ms: number): Promise<Seen> {
  let next = asked
  const nextPath = (): string => (keys === 1 ? path : `/items/${Number.isFinite(keys) ? next++ % keys : next++}`)
  const result = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections: CONNECTIONS,
    duration: ms / 1_000,
    sampleInt: Math.min(ms, 1_000),
    requests: [{ headers: fields, setupRequest: (request) => ({ ...request, path: nextPath() }) }],
  })
  const { requests, latency, errors } = result
  const failures = errors + result['4xx'] + result['5xx']
  return { requests: requests.total, seconds: ms / 1_000, p50: latency.p50, p99: latency.p99, failures }
}

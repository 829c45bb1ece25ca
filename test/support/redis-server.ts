import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { endRedis, launchRedis } from './redis-process.ts'

/** A real Redis on a free port of this machine, started and ended by a test. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  readonly pid: number
  /** End it and remove its directory. */
  stop(): Promise<void>
  /** End it without a last word. */
  kill9(): Promise<void>
  /** Let it hang: connections stay, nothing is answered. */
  pause(): void
  resume(): void
  /** Start it again on the same port, empty. */
  restart(): Promise<void>
}

export interface StartOptions {
  readonly args?: readonly string[]
}

/** Start a Redis that keeps nothing on disk. */
export async function startRedis({ args = [] }: StartOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'cachewell-redis-'))
  const port = await freePort()
  const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]
  const launch = () => launchRedis(port, [...fixed, ...args])
  let child = await launch()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid as number
    },
    stop: async () => {
      await endRedis(child)
      await rm(directory, { recursive: true, force: true })
    },
    kill9: () => endRedis(child),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    restart: async () => {
      await endRedis(child)
      child = await launch()
    },
  }
}

/** Whether a `redis-server` can be started here. */
export function hasRedisServer(): boolean {
  return spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0
}

let told = false

/**
 * A `describe` for what is true only with a real Redis. Without a `redis-server` it is skipped and says so once; with `CI` set
 * that is a failure.
 */
export function describeWithRedis(title: string, define: (this: Mocha.Suite) => void): void {
  if (hasRedisServer()) {
    describe(title, define)
    return
  }
  const advice = 'apt-get install redis-server, or brew install redis'
  if (process.env.CI) {
    describe(title, () => {
      it('needs a redis-server', () => {
        throw new Error(`No redis-server found: ${advice}`)
      })
    })
    return
  }
  if (!told)
    console.warn(
      `\n*** SKIPPED: no redis-server found, all tests against a real Redis are left out. Install it: ${advice} ***\n`,
    )
  told = true
  describe.skip(title, define)
}

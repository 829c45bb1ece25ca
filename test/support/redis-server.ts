import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

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
  let child = await launch(port, directory, args)
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid as number
    },
    stop: async () => {
      await end(child)
      await rm(directory, { recursive: true, force: true })
    },
    kill9: () => end(child),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    restart: async () => {
      await end(child)
      child = await launch(port, directory, args)
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

async function launch(port: number, directory: string, args: readonly string[]): Promise<ChildProcess> {
  const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]
  const child = spawn('redis-server', [...fixed, ...args], { stdio: 'ignore' })
  running.add(child)
  child.once('exit', () => running.delete(child))
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
    if (await answers(port)) return child
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  await end(child)
  throw new Error('redis-server did not answer within 5 s')
}

const running = new Set<ChildProcess>()

// A test run that is interrupted leaves nothing behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString().startsWith('+PONG'))
    })
    socket.once('error', () => resolve(false))
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../test/support/free-port.ts'
import { cpuOfTree } from './processes.ts'
import type { Server } from './server.ts'

/** A cache in front of an application that is a program of its own: what it costs beside one within. */
export interface Proxy {
  readonly name: 'nginx' | 'Varnish'
  start(originPort: number): Promise<Server>
}

const START_MS = 10_000
const STOP_MS = 5_000

/** The proxies whose programs are on this machine. */
export function presentProxies(): readonly Proxy[] {
  return PROXIES.filter(({ program }) => spawnSync(program, ['-V'], { stdio: 'ignore' }).error === undefined)
}

const PROXIES: readonly (Proxy & { readonly program: string })[] = [
  {
    name: 'nginx',
    program: 'nginx',
    start: async (originPort) => {
      const [directory, port] = [await scratch(), await freePort()]
      const file = join(directory, 'nginx.conf')
      await writeFile(file, nginxConfiguration({ directory, port, originPort }))
      return started(port, directory, spawn('nginx', ['-c', file, '-e', 'stderr'], { stdio: 'ignore' }))
    },
  },
  {
    name: 'Varnish',
    program: 'varnishd',
    start: async (originPort) => {
      const [directory, port] = [await scratch(), await freePort()]
      const where = ['-F', '-n', join(directory, 'work'), '-a', `127.0.0.1:${port}`, '-b', `127.0.0.1:${originPort}`]
      const settings = ['-s', 'malloc,256m', '-p', 'thread_pools=1']
      return started(port, directory, spawn('varnishd', [...where, ...settings], { stdio: 'ignore' }))
    },
  },
]

interface NginxSettings {
  readonly directory: string
  readonly port: number
  readonly originPort: number
}

/** One worker, as there is one process of each contestant; the cache on disk, so in the page cache. */
function nginxConfiguration({ directory, port, originPort }: NginxSettings): string {
  return `daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  keepalive_requests 100000000;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=1000;
  proxy_temp_path ${directory}/proxy;
  client_body_temp_path ${directory}/body;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  proxy_cache_path ${directory}/cache keys_zone=bench:10m;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${originPort};
      proxy_cache bench;
    }
  }
}
`
}

/** Both give up the rights of root, and have to reach what is in here all the same. */
async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cachewell-bench-'))
  await chmod(directory, 0o755)
  return directory
}

async function started(port: number, directory: string, child: ChildProcess): Promise<Server> {
  const { pid } = child
  running.add(child)
  child.once('exit', () => running.delete(child))
  const deadline = performance.now() + START_MS
  while (pid === undefined || !(await answers(port))) {
    if (pid === undefined || child.exitCode !== null || performance.now() > deadline) {
      await stop(child, directory)
      throw new Error(`${child.spawnfile} did not answer on port ${port}`)
    }
    await sleep(50)
  }
  return {
    port,
    cpu: () => cpuOfTree(pid),
    [Symbol.asyncDispose]: () => stop(child, directory),
  }
}

const running = new Set<ChildProcess>()

// A run that is interrupted leaves nothing behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})

async function answers(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/`)).ok
  } catch {
    return false
  }
}

/** Asked to end, the first process ends the others. */
async function stop(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(late)
  }
  await rm(directory, { recursive: true, force: true })
}

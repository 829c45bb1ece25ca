import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Task } from './contestant.ts'

/** Something that answers on a port of this machine and can be asked what that has cost. */
export interface Server extends AsyncDisposable {
  readonly port: number
  /** CPU time of all its processes so far, user and system (us). */
  cpu(): Promise<number>
}

/** Run a contestant of a file in `servers/` as a process of its own. */
async function startContestant(file: string, task: Task): Promise<Server> {
  const path = fileURLToPath(new URL(`servers/${file}`, import.meta.url))
  const child = fork(path, { env: { ...process.env, NODE_ENV: 'production' }, serialization: 'advanced' })
  child.send(task)
  const { port } = (await reply(child)) as { port: number }
  return {
    port,
    cpu: async () => {
      child.send('cpu')
      const { cpu } = (await reply(child)) as { cpu: NodeJS.CpuUsage }
      return cpu.user + cpu.system
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

/** The next message of a child; rejects when it ends instead. */
async function reply(child: ChildProcess): Promise<unknown> {
  const given = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', { signal: given.signal }).then(([message]) => message as unknown),
      once(child, 'exit', { signal: given.signal }).then(([code]) => {
        throw new Error(`A contestant ended with code ${String(code)}`)
      }),
    ])
  } finally {
    given.abort()
  }
}

/** What runs during a part, ended together. */
export class Servers implements AsyncDisposable {
  readonly #running: Server[] = []

  contestant(file: string, task: Task): Promise<Server> {
    return this.add(startContestant(file, task))
  }

  async add(starting: Promise<Server>): Promise<Server> {
    const server = await starting
    this.#running.push(server)
    return server
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((server) => server[Symbol.asyncDispose]()))
  }
}

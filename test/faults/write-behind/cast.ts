import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { JournalDatabase } from './database.ts'
import type { FromDatabase, FromProcess, ProcessSettings, Told } from './messages.ts'

export interface CastOptions {
  readonly redis: string
  readonly keys: number
  readonly concurrency: number
  readonly database: JournalDatabase
}

const PROGRAM = fileURLToPath(new URL('process.ts', import.meta.url))
const ROLES = ['web', 'web', 'worker', 'worker'] as const

/** The processes of a run: two that update rows, two that save them. Each that is killed is replaced. */
export class Cast {
  readonly acknowledged: Told[] = []
  readonly reads: Told[] = []
  readsAlone = 0
  readonly refused: Map<string, number> = new Map()
  readonly failures: string[] = []
  readonly #options: CastOptions
  readonly #members: (ChildProcess | undefined)[] = ROLES.map(() => undefined)
  #started = 0

  constructor(options: CastOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    await Promise.all(ROLES.map((_, seat) => this.#fill(seat)))
  }

  /** Kill one of this role without a word, and start another in its place. */
  async replace(role: ProcessSettings['role']): Promise<void> {
    const seats = ROLES.flatMap((one, seat) => (one === role ? [seat] : []))
    const seat = seats[Math.floor(Math.random() * seats.length)] as number
    await kill(this.#members[seat])
    await this.#fill(seat)
  }

  /** Resolves when nobody updates rows any more. */
  async stopUpdates(): Promise<void> {
    const webs = this.#members.filter((member, seat) => ROLES[seat] === 'web' && member?.connected)
    await Promise.all(webs.map((web) => stopped(web as ChildProcess)))
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map(kill))
  }

  async #fill(seat: number): Promise<void> {
    const { redis, keys, concurrency } = this.#options
    const role = ROLES[seat] as ProcessSettings['role']
    const settings: ProcessSettings = { role, name: `${role}${this.#started++}`, redis, keys, concurrency }
    const child = fork(PROGRAM, [JSON.stringify(settings)], { execArgv: ['--import', 'tsx'] })
    this.#members[seat] = child
    // What is sent to a process that has just been killed.
    child.on('error', () => {})
    child.on('exit', (code, signal) => {
      if (signal !== 'SIGKILL') this.failures.push(`${settings.name} has ended by itself (${code ?? signal})`)
    })
    const ready = new Promise<void>((resolve) => {
      child.on('message', (message: FromProcess) => {
        if (message.kind === 'ready') resolve()
        else if (message.kind !== 'stopped') this.#hear(child, settings.name, message)
      })
    })
    await Promise.race([ready, once(child, 'exit')])
  }

  #hear(
    child: ChildProcess,
    name: string,
    message: Exclude<FromProcess, { readonly kind: 'ready' | 'stopped' }>,
  ): void {
    switch (message.kind) {
      case 'acknowledged':
        this.acknowledged.push(message)
        break
      case 'read':
        this.reads.push(message)
        break
      case 'read alone':
        this.readsAlone++
        break
      case 'refused':
        this.refused.set(message.code, (this.refused.get(message.code) ?? 0) + 1)
        break
      case 'failed':
        this.failures.push(`${name}: ${message.error}`)
        break
      case 'load':
      case 'save':
        this.#answer(child, message)
    }
  }

  #answer(child: ChildProcess, question: Extract<FromProcess, { readonly id: number }>): void {
    const { database } = this.#options
    const answer = (rest: Omit<FromDatabase, 'id'>): void => {
      if (child.connected) child.send({ id: question.id, ...rest })
    }
    if (question.kind === 'load') return answer({ value: database.load(question.key) })
    try {
      database.save(question)
      answer({ value: null })
    } catch (error) {
      answer({ value: null, error: String(error) })
    }
  }
}

async function stopped(web: ChildProcess): Promise<void> {
  const last = new Promise<void>((resolve) => {
    web.on('message', ({ kind }: FromProcess) => {
      if (kind === 'stopped') resolve()
    })
  })
  web.send('stop')
  await Promise.race([last, once(web, 'exit')])
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

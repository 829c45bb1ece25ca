import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { endWithParent } from '../../support/end-with-parent.ts'

/** A process of its own that answers questions, so that what it measures and what measures it do not share a thread. */
export interface Companion<Answers> {
  ask<Q extends keyof Answers & string>(question: Q, argument?: unknown): Promise<Answers[Q]>
  end(): Promise<void>
}

interface Question {
  readonly id: number
  readonly question: string
  readonly argument: unknown
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** Start a TypeScript file that calls `answerParent`; resolves when it does. `flags`: of node, beside those of this process. */
export async function startCompanion<Answers>(
  file: URL,
  options: object = {},
  flags: readonly string[] = [],
): Promise<Companion<Answers>> {
  const execArgv = [...process.execArgv, ...flags]
  const child = fork(file, [JSON.stringify(options)], { serialization: 'advanced', execArgv })
  const waiting = new Map<number, (answer: Answer) => void>()
  const answerOf = (id: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(id, ({ value, error }) => {
        waiting.delete(id)
        if (error === undefined) resolve(value)
        else reject(new Error(error))
      })
    })
  const failAll = (): void => {
    for (const [id, settle] of waiting) settle({ id, error: `${file.pathname} has ended` })
  }
  child.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer))
  child.once('exit', failAll)
  let questions = READY
  const ask = (question: string, argument?: unknown): Promise<unknown> => {
    const id = ++questions
    const answer = answerOf(id)
    if (child.connected) child.send({ id, question, argument } satisfies Question)
    else failAll()
    return answer
  }
  await answerOf(READY)
  return { ask: ask as Companion<Answers>['ask'], end: () => end(child) }
}

/** The answer to no question: this process listens. */
const READY = 0

/** In the process started: answer the parent's questions, and end with it. */
export function answerParent(answers: Readonly<Record<string, (argument: never) => unknown>>): void {
  const reply = (answer: Answer): void => {
    if (process.connected) process.send?.(answer)
  }
  process.on('message', ({ id, question, argument }: Question) => {
    Promise.resolve(argument)
      .then((given) => answers[question]?.(given as never))
      .then(
        (value) => reply({ id, value }),
        (error: unknown) => reply({ id, error: String(error) }),
      )
  })
  endWithParent()
  reply({ id: READY })
}

/** What `startCompanion` was given for this process. */
export function companionOptions(): unknown {
  return JSON.parse(process.argv[2] ?? '{}')
}

/** Ms on the clock that all processes of this machine share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

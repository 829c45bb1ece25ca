import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { endWithParent } from '../test/support/end-with-parent.ts'

/** An answer to write as it stands: what a limit sends, taken from what a hit sent. */
export interface Prepared {
  readonly status: number
  /** Names and values in turn, as `writeHead` takes them. */
  readonly head: readonly string[]
  readonly body: Buffer
}

/** What the process of a contestant is to be. */
export interface Task {
  readonly contestant: string
  /** Of the body (bytes). */
  readonly size: number
  readonly prepared?: Prepared
  /** In its place one for each path. */
  readonly answers?: Readonly<Record<string, Prepared>>
  readonly redis?: string
}

export type Contestants = Readonly<Record<string, (task: Task) => RequestListener | Promise<RequestListener>>>

/**
 * Be the contestant that the parent process asks for: listen, and tell the CPU time used whenever asked. CPU time does not count
 * being descheduled, so it holds on noisy machines.
 */
export function serveContestant(contestants: Contestants): void {
  process.once('message', (task: Task) => void serve(contestants, task))
  endWithParent()
}

async function serve(contestants: Contestants, task: Task): Promise<void> {
  const make = contestants[task.contestant]
  if (make === undefined) throw new Error(`There is no contestant "${task.contestant}"`)
  const server = createServer(await make(task)).listen(0, '127.0.0.1', () => {
    process.on('message', () => process.send?.({ cpu: process.cpuUsage() }))
    process.send?.({ port: (server.address() as AddressInfo).port })
  })
}

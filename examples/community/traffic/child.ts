import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

export interface Child<Reply> {
  /** The child's first answer to the order. */
  readonly reply: Reply
  /** The first message after that; undefined when the child ended without one. */
  readonly nextMessage: () => Promise<unknown>
  readonly send: (message: object) => void
  /** Let go of the child and wait for its end. */
  readonly stop: () => Promise<void>
}

/**
 * Run a module in a process of its own, with the same loader as this one, and give it its order.
 * @throws when the child ends before it has answered, or answers `{ failure }`
 */
export async function startChild<Reply extends object>(module: URL, order: object): Promise<Child<Reply>> {
  // What the child says goes to stderr: stdout is for the report.
  const child = fork(module, { stdio: ['ignore', 2, 2, 'ipc'] })
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    if (child.connected) child.disconnect()
    await ended
  }
  child.send(order)
  const reply = await nextMessage(child)
  if (reply === undefined) throw new Error('The server process ended before it listened.')
  if ('failure' in (reply as object)) {
    await stop()
    throw new Error((reply as { failure: string }).failure)
  }
  return { reply: reply as Reply, nextMessage: () => nextMessage(child), send: (message) => child.send(message), stop }
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => {
    const onMessage = (message: unknown): void => {
      child.off('exit', onExit)
      resolve(message)
    }
    const onExit = (): void => {
      child.off('message', onMessage)
      resolve(undefined)
    }
    child.once('message', onMessage)
    child.once('exit', onExit)
  })
}

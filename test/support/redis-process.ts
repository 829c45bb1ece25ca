import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long a process may take until it answers (ms). */
const START_MS = 10_000

/**
 * Run `redis-server` and wait until it answers on `port`.
 *
 * @throws when it ends or does not answer within 10 s
 */
export async function launchRedis(port: number, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output = `${output}${chunk.toString()}`.slice(-2_000)
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const deadline = performance.now() + START_MS
  while (!(await answers(port, child))) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}:\n${output}`)
    if (performance.now() > deadline) {
      await endRedis(child)
      throw new Error(`redis-server did not answer on port ${port} within ${START_MS} ms:\n${output}`)
    }
    await sleep(25)
  }
  return child
}

/** End a process without a last word. */
export async function endRedis(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

const running = new Set<ChildProcess>()

// A test run that is interrupted leaves nothing behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
process.once('SIGTERM', () => process.exit(143))

/** Whether this very process answers: another one may have taken the port. */
function answers(port: number, child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end('INFO server\r\n'))
    let reply = ''
    socket.on('data', (chunk) => {
      reply += chunk.toString()
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(reply.includes(`process_id:${child.pid}\r\n`)))
    socket.setTimeout(1_000, () => socket.destroy())
  })
}

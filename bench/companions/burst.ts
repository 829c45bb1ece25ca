import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answerParent, sharedNow } from '../../test/faults/outages/companion.ts'

/** Many clients that ask for one page in the same moment. */
export interface BurstOptions {
  readonly ports: readonly number[]
  readonly clients: number
  readonly path: string
}

export interface Burst {
  /** From the first request to the last byte of the last answer (ms). */
  readonly lastMs: number
  /** Answers that were none, or not the page. */
  readonly wrong: number
}

export interface BurstAnswers {
  readonly burst: Burst
}

/** An answer that does not come within this (ms) never does. */
const PATIENCE_MS = 10_000

async function burst({ ports, clients, path }: BurstOptions): Promise<Burst> {
  const sockets = await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const socket = connect(ports[client % ports.length] ?? 0, '127.0.0.1')
      await once(socket, 'connect')
      return socket
    }),
  )
  const startedAt = sharedNow()
  const answers = await Promise.all(sockets.map((socket) => ask(socket, path)))
  const lastMs = sharedNow() - startedAt
  for (const socket of sockets) socket.destroy()
  return { lastMs, wrong: answers.filter((isRight) => !isRight).length }
}

/** Whether the page came whole. */
function ask(socket: Socket, path: string): Promise<boolean> {
  let answer = ''
  socket.write(`GET ${path} HTTP/1.1\r\nHost: shop.example\r\n\r\n`)
  return new Promise((resolve) => {
    const end = (): void => resolve(/^HTTP\/1.1 200 .*x!(\r\n0\r\n\r\n)?$/s.test(answer))
    socket.setTimeout(PATIENCE_MS, end)
    socket.once('close', end)
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      // The page ends so, with a length or in chunks.
      if (answer.endsWith('x!') || answer.endsWith('0\r\n\r\n')) end()
    })
  })
}

answerParent({ burst })

import { Agent, get } from 'node:http'
import { answerParent, sharedNow } from './companion.ts'

/** Many connections, each asking for the same path again and again, spread over several servers. */
export interface CrowdOptions {
  readonly ports: readonly number[]
  readonly connections: number
  /** Pause of each connection between two requests (ms). */
  readonly pauseMs: number
}

export interface CrowdAnswers {
  readonly start: undefined
  readonly stop: { readonly failures: number; readonly times: readonly number[] }
}

/** One site, whichever process answers for it. */
const HEADERS = { host: 'fleet.example' }
const agent = new Agent({ keepAlive: true })
const times: number[] = []
let failures = 0
let isOver = false
let clients: Promise<void>[] = []

async function ask(port: number): Promise<void> {
  const startedAt = sharedNow()
  const status = await new Promise<number>((resolve) => {
    const outgoing = get({ port, agent, path: '/hot', headers: HEADERS }, (answer) => {
      answer.resume()
      answer.once('end', () => resolve(answer.statusCode ?? 0))
      answer.once('error', () => resolve(0))
    })
    outgoing.once('error', () => resolve(0))
  })
  if (status === 200) times.push(sharedNow() - startedAt)
  else failures++
}

async function come(port: number, pauseMs: number): Promise<void> {
  while (!isOver) {
    await ask(port)
    await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())))
  }
}

answerParent({
  start: ({ ports, connections, pauseMs }: CrowdOptions) => {
    clients = Array.from({ length: connections }, (_, id) => come(ports[id % ports.length] ?? 0, pauseMs))
  },
  stop: async () => {
    isOver = true
    await Promise.all(clients)
    return { failures, times }
  },
})

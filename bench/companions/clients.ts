import { Agent, get } from 'node:http'
import { answerParent, sharedNow } from '../../test/faults/outages/companion.ts'

/** Closed-loop clients of several sites: each asks, waits for the answer, pauses, and asks again; by turns for hot and for new pages. */
export interface ClientsOptions {
  readonly ports: readonly number[]
  /** Of each site. */
  readonly clients: number
  readonly pauseMs: number
}

export interface Visit {
  readonly port: number
  /** When it was asked (shared ms), and until when it took. */
  readonly from: number
  readonly to: number
  /** No answer, or one that says that something failed. */
  readonly failed: boolean
}

export interface ClientsAnswers {
  readonly start: undefined
  /** Everything that was asked. */
  readonly stop: readonly Visit[]
}

const HOT_PAGES = 50
/** Who has no answer after this (ms) goes away. */
const PATIENCE_MS = 3_000

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
const visits: Visit[] = []
let asked = 0
let isOver = false
let clients: Promise<void>[] = []

async function visit(port: number, pauseMs: number): Promise<void> {
  while (!isOver) {
    const path = ++asked % 2 === 0 ? `/hot/${Math.floor(Math.random() * HOT_PAGES)}` : `/new/${asked}`
    const from = sharedNow()
    const failed = !(await isAnswered(port, path))
    visits.push({ port, from, to: sharedNow(), failed })
    await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())))
  }
}

function isAnswered(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ port, path, agent, headers: { host: 'shop.example' } }, (answer) => {
      answer.resume()
      answer.once('end', () => resolve((answer.statusCode ?? 500) < 500))
      answer.once('error', () => resolve(false))
    })
    const patience = setTimeout(() => request.destroy(new Error('no answer')), PATIENCE_MS)
    request.once('close', () => clearTimeout(patience))
    request.once('error', () => resolve(false))
  })
}

answerParent({
  start: ({ ports, clients: count, pauseMs }: ClientsOptions) => {
    clients = ports.flatMap((port) => Array.from({ length: count }, () => visit(port, pauseMs)))
  },
  stop: async () => {
    isOver = true
    await Promise.all(clients)
    return visits
  },
})

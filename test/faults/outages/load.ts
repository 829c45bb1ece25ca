import { Agent, request } from 'node:http'
import { answerParent, sharedNow } from './companion.ts'

/**
 * Open-loop load in a process of its own: each request is due at an instant fixed beforehand and its time counts from there, so
 * that a server that stalls cannot slow down those who measure it (coordinated omission). All targets get the same requests.
 */
export interface LoadOptions {
  /** Ports of the targets. */
  readonly ports: readonly number[]
  /** Requests per second to each. */
  readonly rate: number
}

export interface Sample {
  readonly port: number
  readonly isWrite: boolean
  /** When it was due (shared ms). */
  readonly dueAt: number
  /** From then to the end of the answer; undefined where none came. */
  readonly ms: number | undefined
  /** No answer, or one of 5xx: what happened instead. */
  readonly failure: string | undefined
}

export interface LoadAnswers {
  readonly start: undefined
  /** What has ended so far. */
  readonly take: readonly Sample[]
  /** What ends after the last request, or hangs. */
  readonly stop: readonly Sample[]
}

/** Of 50 requests one is a write. */
const WRITE_EVERY = 50
const HOT_KEYS = 20
const COLD_KEYS = 5_000
/** A request without an answer for so long (ms) hangs. */
const HANG_MS = 3_000

const agent = new Agent({ keepAlive: true })
let samples: Sample[] = []
let pending = 0
let timer: NodeJS.Timeout | undefined

function start({ ports, rate }: LoadOptions): void {
  const startedAt = sharedNow()
  let sent = 0
  timer = setInterval(() => {
    const due = ((sharedNow() - startedAt) * rate) / 1_000
    for (; sent < due; sent++) {
      for (const port of ports) send(port, sent, startedAt + (sent * 1_000) / rate)
    }
  }, 1)
}

function take(): readonly Sample[] {
  const taken = samples
  samples = []
  return taken
}

async function stop(): Promise<readonly Sample[]> {
  clearInterval(timer)
  for (const startedAt = sharedNow(); pending > 0 && sharedNow() - startedAt < 2 * HANG_MS; ) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return take()
}

function send(port: number, turn: number, dueAt: number): void {
  const isWrite = turn % WRITE_EVERY === WRITE_EVERY - 1
  const settle = (failure: string | undefined): void => {
    pending--
    const ms = failure === undefined ? sharedNow() - dueAt : undefined
    samples.push({ port, isWrite, dueAt, ms, failure })
  }
  pending++
  const outgoing = request({ port, agent, path: pathOf(turn, isWrite), method: isWrite ? 'PUT' : 'GET' })
  const hanging = setTimeout(() => outgoing.destroy(new Error('hangs')), HANG_MS)
  outgoing.once('close', () => clearTimeout(hanging))
  outgoing.once('error', (error) => settle(error.message))
  outgoing.once('response', (answer) => {
    const failure = (answer.statusCode ?? 0) >= 500 ? `status ${answer.statusCode}` : undefined
    answer.resume()
    answer.once('end', () => settle(failure))
    answer.once('error', (error) => settle(error.message))
  })
  outgoing.end()
}

/** Three of five requests are for a few hot paths, the others are spread over many. */
function pathOf(turn: number, isWrite: boolean): string {
  const scattered = Math.imul(turn, 0x9e3779b1) >>> 0
  return isWrite || turn % 5 < 3 ? `/hot/${scattered % HOT_KEYS}` : `/cold/${scattered % COLD_KEYS}`
}

answerParent({ start, take, stop })

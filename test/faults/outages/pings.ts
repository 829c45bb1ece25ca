import { Redis } from 'ioredis'
import { answerParent, companionOptions, sharedNow } from './companion.ts'

/** Somebody else's client of the same Redis, which asks for nothing but an answer. */
export interface PingOptions {
  readonly port: number
}

export interface PingAnswers {
  /** How long each answer since the last call took (ms). */
  readonly take: readonly number[]
}

const EVERY_MS = 1

const { port } = companionOptions() as PingOptions
const client = new Redis(port)
let times: number[] = []

async function ping(): Promise<void> {
  const startedAt = sharedNow()
  await client.ping()
  times.push(sharedNow() - startedAt)
  setTimeout(() => void ping(), EVERY_MS)
}

void ping()
answerParent({
  take: () => {
    const taken = times
    times = []
    return taken
  },
})

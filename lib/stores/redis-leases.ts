import { randomBytes } from 'node:crypto'
import { LOCK_WAIT_MS } from '../lease.ts'
import type { RedisClient } from '../redis.ts'
import type { Keys } from './redis-keys.ts'
import type { SendCommand } from './redis-link.ts'
import type { ScriptRunner } from './redis-script-runner.ts'
import type { Claim, ClaimResult, FillLease } from './store.ts'

export interface LeasesOptions {
  readonly keys: Keys
  readonly send: SendCommand
}

/** How long the server keeps a lease that nobody gives back (ms); whoever waits takes it over long before. */
const LEASE_KEPT_MS = 10 * LOCK_WAIT_MS

type ClaimReply = readonly [kind: ClaimResult['kind'], fence: string]

/** The right to fill the keys of one partition, asked for among all processes. Both calls reject when Redis does not answer. */
export class Leases {
  readonly #keys: Keys
  readonly #send: SendCommand

  constructor({ keys, send }: LeasesOptions) {
    this.#keys = keys
    this.#send = send
  }

  /** Ask for the right to fill. */
  async acquire({ key, incarnation, seq, seen }: Claim): Promise<ClaimResult> {
    const token = randomBytes(8).toString('hex')
    const leaseKey = this.#keys.lease(key)
    const keys = [leaseKey, this.#keys.fences, this.#keys.entry(key), this.#keys.token]
    const args = [token, String(LOCK_WAIT_MS), String(LEASE_KEPT_MS), incarnation, String(seq), String(seen ?? -1)]
    let isLate = false
    const run = (_: RedisClient, scripts: ScriptRunner): Promise<ClaimReply> => {
      const answer = scripts.run('acquire', keys, args) as Promise<ClaimReply>
      // Nobody would use it, and others would wait for it. Past the breaker: there is an answer, so there is a server.
      const giveBack = ([kind]: ClaimReply): void => {
        if (isLate && kind === 'mine') scripts.run('release', [leaseKey], [token, '0']).catch(() => {})
      }
      answer.then(giveBack, () => {})
      return answer
    }
    const [kind, fenceText] = await this.#send(run).catch((cause: unknown) => {
      isLate = true
      throw cause
    })
    const fence = Number(fenceText)
    if (kind === 'mine') return { kind, lease: { key, token, fence } }
    return kind === 'filled' ? { kind, fence } : { kind }
  }

  /** Give the right to fill back; `unsharedMs`: how long nobody is to wait for this key. */
  async release({ key, token }: FillLease, unsharedMs: number): Promise<void> {
    const keys = [this.#keys.lease(key)]
    await this.#send((_, scripts) => scripts.run('release', keys, [token, String(unsharedMs)]))
  }
}

import { keyPrefixOf, nodesOf, patientDuplicateOf, type RedisClient, userOf } from '../redis.ts'
import { GuardError, within } from './guarded.ts'
import type { Link } from './redis-link.ts'
import type { Editions } from './redis-script-runner.ts'

export interface AnnexOptions {
  readonly link: Link
  /** The hash tag of all its keys, with its braces. */
  readonly slot: string
}

/**
 * What is kept in the Redis of a cache beside its entries, by something that is built on it: keys of its own in one slot, scripts
 * under a deadline, connections of its own. What goes wrong with it does not open the breaker, which is about entries.
 */
export class Annex {
  readonly slot: string
  readonly #link: Link

  constructor({ link, slot }: AnnexOptions) {
    this.slot = slot
    this.#link = link
  }

  /** The slot as a library has to write it that prefixes its keys itself. */
  get fullSlot(): string {
    return `${keyPrefixOf(this.#client)}${this.slot}`
  }

  /** The name in Redis of whom the cache signs in as. */
  get user(): string {
    return userOf(this.#client)
  }

  /**
   * Run a script on keys of the slot.
   *
   * @throws {GuardError} when Redis is away, late or refuses.
   */
  run(editions: Editions, keys: readonly string[], args: readonly string[], deadlineMs: number): Promise<unknown> {
    const { client, scripts } = this.#link
    if (client === undefined || scripts === undefined || !this.#link.reachable) return Promise.reject(away())
    return within(() => scripts.runEdition(editions, keys, args), deadlineMs)
  }

  /** Ask each server that holds keys. @throws {GuardError} as `run` */
  async askServers<T>(ask: (server: RedisClient) => Promise<T>, deadlineMs: number): Promise<readonly T[]> {
    return within(() => Promise.all(nodesOf(this.#client).map(ask)), deadlineMs)
  }

  /** Another connection, which waits for Redis where it is away; whoever asks for it ends it. */
  duplicate(): RedisClient {
    return patientDuplicateOf(this.#client)
  }

  get #client(): RedisClient {
    const { client } = this.#link
    if (client === undefined) throw away()
    return client
  }
}

function away(): GuardError {
  return new GuardError('open', 'Redis is not used at the moment')
}

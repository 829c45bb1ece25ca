import { randomBytes } from 'node:crypto'
import type { Keys } from './redis-keys.ts'
import type { SendCommand } from './redis-link.ts'
import type { Turn, TurnOptions, Turns } from './turns.ts'

export interface RedisTurnsOptions extends TurnOptions {
  /** Of the partition that it is kept in. */
  readonly keys: Keys
  /** What it is that is done now and then. */
  readonly name: string
  readonly send: SendCommand
  readonly onError: (cause: unknown) => void
}

type TurnReply = readonly [kind: 'mine' | 'theirs' | 'done', leftMs: string]

/** The turns of one process among all that share a Redis; a claim that is not renewed ends, whatever has become of its holder. */
export class RedisTurns implements Turns {
  readonly #options: RedisTurnsOptions
  readonly #keys: readonly string[]
  /** This process, for as long as it lives. */
  readonly #id = randomBytes(8).toString('hex')

  constructor(options: RedisTurnsOptions) {
    this.#options = options
    this.#keys = [options.keys.turn(options.name)]
  }

  take({ isDue }: { readonly isDue: boolean }): Promise<Turn> {
    return this.#take(isDue ? 'due' : 'now')
  }

  /** Where nobody can be asked nobody else can have begun, or not for long. */
  async keep(): Promise<boolean> {
    return (await this.#take('keep')).kind !== 'theirs'
  }

  async end(isDone: boolean): Promise<void> {
    const { send, everyMs, onError } = this.#options
    const args = [this.#id, String(everyMs), isDone ? '1' : '0']
    await send((_, scripts) => scripts.run('endTurn', this.#keys, args)).catch(onError)
  }

  async #take(mode: 'due' | 'now' | 'keep'): Promise<Turn> {
    const { send, everyMs, claimMs, onError } = this.#options
    const args = [this.#id, String(everyMs), String(claimMs), mode]
    try {
      const [kind, leftMs] = (await send((_, scripts) => scripts.run('takeTurn', this.#keys, args))) as TurnReply
      return kind === 'mine' ? { kind } : { kind, leftMs: Number(leftMs) }
    } catch (cause) {
      onError(cause)
      return { kind: 'away' }
    }
  }
}

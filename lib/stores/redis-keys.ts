import { hash } from 'node:crypto'

/** The names of the keys of one partition. They share a hash tag, so that all of them are in one slot. */
export class Keys {
  /** What was invalidated, and who answers from memory: the keys of `redis-metadata-scripts.ts`. */
  readonly metadata: readonly [v: string, i: string, n: string, b: string, s: string, c: string, r: string]
  readonly #slot: string

  /** @param slot the hash tag, with its braces */
  constructor(slot: string) {
    this.#slot = slot
    this.metadata = [`${slot}:v`, `${slot}:i`, `${slot}:n`, `${slot}:b`, `${slot}:s`, `${slot}:c`, `${slot}:r`]
  }

  /** Where the token is kept; read together with entries. */
  get token(): string {
    return this.metadata[0]
  }

  /** Where the fills that have a lease are counted. */
  get fences(): string {
    return this.metadata[2]
  }

  /** All that decides whether an entry is right. */
  get judging(): readonly string[] {
    return this.metadata.slice(0, 6)
  }

  /** Where the entry of a full key is kept. */
  entry(key: string): string {
    return `${this.#slot}:e:${hashed(key)}`
  }

  /** Where the right to fill a full key is kept. */
  lease(key: string): string {
    return `${this.#slot}:l:${hashed(key)}`
  }

  /** Where it is kept whose turn it is. */
  turn(name: string): string {
    return `${this.#slot}:w:${hashed(name)}`
  }
}

/** 128 bits of the full key: short keys in Redis, whatever the length of a URL. */
function hashed(key: string): string {
  return hash('sha256', key, 'base64url').slice(0, 22)
}

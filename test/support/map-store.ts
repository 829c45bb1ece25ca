import type { FallbackStore } from '../../lib/stores/fallback.ts'

/** A fallback store as the documentation has it, with what it was asked. */
export class MapStore implements FallbackStore {
  readonly name: string
  readonly entries: Map<string, Uint8Array> = new Map()
  readonly lifetimes: Map<string, number> = new Map()
  readonly asked: string[] = []

  constructor(name: string = 'map') {
    this.name = name
  }

  get(key: string): Uint8Array | undefined {
    this.asked.push(key)
    return this.entries.get(key)
  }

  set(key: string, bytes: Uint8Array, ttlMs: number): void {
    this.entries.set(key, bytes)
    this.lifetimes.set(key, ttlMs)
  }

  delete(key: string): void {
    this.entries.delete(key)
  }
}

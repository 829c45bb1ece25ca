/** What a process of the run is, and where it works. */
export interface ProcessSettings {
  readonly role: 'web' | 'worker'
  readonly name: string
  readonly redis: string
  readonly keys: number
  /** How many updates are under way at the same time. */
  readonly concurrency: number
}

/** An update that was acknowledged, or the value that was read after one. */
export interface Told {
  readonly key: string
  readonly version: number
  readonly value: string
}

/** What a process tells, and what it asks the database. */
export type FromProcess =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stopped' }
  | ({ readonly kind: 'acknowledged' } & Told)
  /** What was read once the update of this version was acknowledged. */
  | ({ readonly kind: 'read' } & Told)
  /** The same, when Redis was away: the database answers, which may lack what is queued. */
  | { readonly kind: 'read alone' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'load'; readonly id: number; readonly key: string }
  | ({ readonly kind: 'save'; readonly id: number } & Told)

/** The answer of the database; `error` where it failed. */
export interface FromDatabase {
  readonly id: number
  readonly value: string | null
  readonly error?: string
}

import { parseMs } from './duration.ts'
import type { Loader } from './loads.ts'
import { badOption, integer, type Reader, readOptions, text, where } from './options.ts'
import type { RememberOptions } from './values.ts'

/** An entry to warm: its key, how it is kept, and what makes it. */
export type WarmItem = { readonly key: string } & RememberOptions &
  (
    | { readonly load: Loader<unknown>; readonly value?: never }
    /** Read before its turn comes: where it was invalidated since the run began it is not kept. */
    | { readonly value: unknown; readonly load?: never }
  )

/** Options of `warm`; all are optional. */
export interface WarmOptions {
  /** What it is called in events and statistics, and by those who ask for it. @default none */
  readonly name?: string
  /**
   * Warm now, and again and again, counted from the beginning of a run: true for every 30 minutes, or a duration with a unit. One
   * process at a time, and once for all that share a Redis; needs a `name`. @default once
   */
  readonly every?: true | string
  /** How many entries are loaded at the same time. @default 4 */
  readonly concurrency?: number
  /** Ends it. */
  readonly signal?: AbortSignal
}

const HALF_AN_HOUR = 30 * 60_000

const interval: Reader<number> = {
  expects: "true for every 30 minutes, or a duration with a unit such as '10m'",
  accepts: (value) => value === true || (typeof value === 'string' && value !== ''),
  read(path, value) {
    if (value === true) return HALF_AN_HOUR
    const everyMs = typeof value === 'string' ? parseMs(path, value) : 0
    if (everyMs === 0) throw badOption(path, value, interval.expects)
    return everyMs
  },
}

const WARM_OPTIONS = {
  name: text,
  every: interval,
  concurrency: integer({ min: 1, max: 1_000 }),
  signal: where<AbortSignal>('an AbortSignal', (value) => value instanceof AbortSignal),
} as const

/** What was written, the interval in ms. */
export interface CheckedWarmOptions extends Omit<WarmOptions, 'every'> {
  readonly every?: number
}

/** @throws CacheError naming option, value and fix */
export function readWarmOptions(options: unknown): CheckedWarmOptions {
  return readOptions('warm', options, WARM_OPTIONS)
}

/** @throws CacheError for what is no item; the rest is checked where it is used */
export function checkedItem(item: WarmItem): WarmItem {
  const isItem = typeof item === 'object' && item !== null && 'load' in item !== 'value' in item
  if (!isItem) throw badOption('warm', item, 'an object with a key, and with either load or value')
  return item
}

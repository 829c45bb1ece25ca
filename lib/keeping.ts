import type { Engine } from './engine.ts'
import type { Entry } from './entry.ts'
import { show } from './errors.ts'
import { marked, valueEntry } from './stored-value.ts'
import type { Written } from './value-format.ts'

/** How a value becomes an entry of the service. */

/** How a value is to be kept; times in ms. */
export interface Keeping {
  /** The full key, and the service key in it. */
  readonly full: string
  readonly key: string
  /** Prefixed. */
  readonly tags: readonly string[]
  readonly lifetime: number
  /** Share of it that is taken off at random; undefined: the cache's. */
  readonly jitter: number | undefined
  readonly windows: Windows
  /** Windows that hold whatever its readers say. */
  readonly ownWindows?: OwnWindows
}

/** How long a value may be used beyond its lifetime: while it is loaded anew, and where that fails (ms). */
export interface Windows {
  readonly revalidate: number
  readonly error: number
}

interface OwnWindows {
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
}

const NO_WINDOWS: OwnWindows = { staleWhileRevalidate: undefined, staleIfError: undefined }

/** A value as it was written, and the state of the ledger as of which it was made. */
export interface Made {
  readonly written: Written
  readonly at: { readonly incarnation: string; readonly seq: number }
  readonly fence: number
}

/** The entry of a value that was made just now. */
export function entryOf({ clock, lifetimes }: Engine, keeping: Keeping, { written, at, fence }: Made): Entry {
  const { full, key, tags, lifetime, jitter, windows, ownWindows = NO_WINDOWS } = keeping
  const now = clock.now()
  const staleAt = now + lifetimes.jittered(lifetime, jitter)
  const { staleWhileRevalidate = windows.revalidate, staleIfError = windows.error } = ownWindows
  const deleteAt = staleAt + Math.max(staleWhileRevalidate, staleIfError)
  const value = marked(written.data, { form: written.form, ...ownWindows })
  return valueEntry({ full, key, value, tags, now, staleAt, deleteAt, at, fence })
}

/** Who has a value to keep, for messages: `remember` has loaded it. */
interface Maker {
  readonly where: string
  readonly what: 'loaded' | 'written'
}

/** A value as it is kept; undefined, with an event and one warning, for what cannot be: whoever has made it has it all the same. */
export function writtenFor(
  { format, events }: Engine,
  { where, what }: Maker,
  key: string,
  value: unknown,
): Written | undefined {
  try {
    return format.write(key, value)
  } catch (cause) {
    events.emit('error', { where, cause })
    events.warnOnce(where, `What was ${what} for ${show(key)} is not kept: ${String(cause)}`)
    return undefined
  }
}

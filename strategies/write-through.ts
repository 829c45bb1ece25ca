import { badOption, callback, syncCallback } from '../lib/options.ts'
import { type CachedLoader, cachedLoader, type LoaderOptions, lifetimesOf } from './cached-loader.ts'

/** Options of `writeThrough`. */
export interface WriteThroughOptions<A, T> extends LoaderOptions<A, T> {
  /** Writes the value to the source. What it brings, if anything, is kept in place of the value. */
  save(args: A, value: Defined<T>): Promise<T | void> | T | void
  /** Tags of what else the write makes wrong, such as the lists that show the value. @default none */
  invalidates?(args: A, value: Defined<T>): readonly string[]
}

/** A loader with a cache beside it, and a way to write through it. */
export interface WrittenLoader<A, T> extends CachedLoader<A, T> {
  /**
   * Save a value in the source, then keep it. Once it has resolved with true no process answers with an older one; with false other
   * processes could not be told in time. Rejects with the error of `save`, the value being forgotten: it may have been saved.
   */
  write(args: A, value: Defined<T>): Promise<boolean>
}

/** What can be written: that a loader finds nothing is no value. */
type Defined<T> = Exclude<T, undefined>

const OPTIONS = {
  save: callback<(args: never, value: never) => unknown>(),
  invalidates: syncCallback<(args: never, value: never) => readonly string[]>(),
} as const

/**
 * Put the cache beside a loader, and write through it: to the source first, then to the cache, so that what was written is read
 * without another load.
 *
 * Of several writes of one key at the same time none is kept, because nobody knows which was saved last: the next reader loads. So it
 * is where Redis is away, and after a `save` of more than ten seconds.
 * @throws CacheError for wrong options
 * @example
 * const users = writeThrough({ cache, key: (id: string) => `user:${id}`, load: (id) => db.find(id), save: (id, user) => db.put(id, user) })
 * await users.write('7', { name: 'Ada' })
 */
export function writeThrough<A, T>(options: WriteThroughOptions<A, T>): WrittenLoader<A, T> {
  const read = cachedLoader('writeThrough', options, { more: OPTIONS })
  if (options.save === undefined) throw badOption('writeThrough: save', options.save, OPTIONS.save.expects)
  const lifetimes = lifetimesOf(options)
  const write = async (args: A, value: Defined<T>): Promise<boolean> => {
    const tags = options.tags?.(args) ?? []
    const invalidates = options.invalidates?.(args, value) ?? []
    return options.cache.write(options.key(args), { ...lifetimes, tags, invalidates }, async () => {
      const saved = await options.save(args, value)
      return saved === undefined ? value : saved
    })
  }
  return Object.assign(read, { write })
}

import { CacheError, show } from './errors.ts'

/** How many bytes: a string (`'64kb'`, `'100mb'`, `'1gb'`; a kb is 1024 bytes) or a number of bytes. */
export type Size = number | string

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 }
const SIZE = /^(\d+(?:\.\d+)?)(b|kb|mb|gb|tb)$/i

/**
 * Read a size in bytes, rounded down.
 * @throws CacheError `ERR_CACHE_BAD_SIZE`, naming `option`, for everything that is not a size, negative or not whole bytes
 */
export function parseSize(option: string, value: unknown): number {
  const bytes = typeof value === 'string' ? readText(value) : value
  if (typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0) return bytes
  throw new CacheError(
    'ERR_CACHE_BAD_SIZE',
    `${option}: ${show(value)} is not a size. Use a string such as '64kb', '100mb', '1gb', or a number of bytes.`,
  )
}

function readText(text: string): number | undefined {
  const [, count, unit] = SIZE.exec(text) ?? []
  if (count === undefined || unit === undefined) return undefined
  return Math.floor(Number(count) * (UNITS[unit.toLowerCase()] ?? Number.NaN))
}

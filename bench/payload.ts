/** The bodies that are asked for, by what the tables call them. */
export const SIZES = { '1 kB': 1_000, '20 kB': 20_000, '200 kB': 200_000 } as const

export type SizeName = keyof typeof SIZES

export const CONTENT_TYPE = 'application/json; charset=utf-8'
export const ETAG = '"bench"'

const WORDS = 'the cache answers a reader before any handler runs and forgets at once what a writer has changed'.split(
  ' ',
)

/** JSON of exactly `size` bytes, as an API answers it: rows with different numbers and words, the same in each process. */
export function payload(size: number): Buffer {
  const next = numbers()
  const rows: string[] = []
  let left = size - pageOf([], '').length
  for (let id = 1; ; id++) {
    const row = JSON.stringify({ id, author: `user-${next() % 1_000}`, score: next() % 5_000, text: sentence(next) })
    if (row.length + 1 > left) break
    rows.push(row)
    left -= row.length + 1
  }
  return Buffer.from(pageOf(rows, 'x'.repeat(left + 1)))
}

/** What is answered under a URL: `/20000` asks for 20,000 bytes, where that is one of the sizes; any other for `usual`. */
export function bodiesOf(usual: number): (url: string | undefined) => Buffer {
  const bodies = new Map(Object.values(SIZES).map((size) => [`/${size}`, payload(size)]))
  const other = payload(usual)
  return (url = '') => bodies.get(url) ?? other
}

function pageOf(rows: readonly string[], next: string): string {
  return `{"posts":[${rows.join(',')}],"next":"${next}"}`
}

function sentence(next: () => number): string {
  return Array.from({ length: 8 + (next() % 24) }, () => WORDS[next() % WORDS.length]).join(' ')
}

/** A linear congruential generator: the numbers have to be the same everywhere, not good. */
function numbers(): () => number {
  let state = 1
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state >>> 8
  }
}

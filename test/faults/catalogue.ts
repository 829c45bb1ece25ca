import type { RememberOptions } from '../../lib/values.ts'

/** What is read and written: items of the service under keys, and pages over HTTP. Both are numbered, pages after items. */

export interface Subject {
  readonly number: number
  readonly kind: 'item' | 'page'
  /** The key of an item, the path of a page. */
  readonly name: string
  /** Its own, and those that it shares with others. */
  readonly tags: readonly string[]
}

const ITEMS = 200
const PAGES = 60
const GROUPS = 12

export const SUBJECTS: readonly Subject[] = Array.from({ length: ITEMS + PAGES }, (_, number) => {
  const kind = number < ITEMS ? 'item' : 'page'
  return {
    number,
    kind,
    name: kind === 'item' ? `item:${number}` : `/pages/${number}`,
    tags: [`one:${number}`, groupOf(number), kind === 'item' ? 'items' : 'pages'],
  }
})

export const ITEM_SUBJECTS: readonly Subject[] = SUBJECTS.slice(0, ITEMS)
export const PAGE_SUBJECTS: readonly Subject[] = SUBJECTS.slice(ITEMS)

/** Few, so that processes meet: all of them write these through their caches, and in other ways one of them does. */
export const THROUGH_SUBJECTS: readonly Subject[] = ITEM_SUBJECTS.filter(({ number }) => number % 50 === 7)

/** All that share a group with this one, itself included. */
export function companionsOf({ number }: Subject): readonly Subject[] {
  return SUBJECTS.filter((subject) => groupOf(subject.number) === groupOf(number))
}

/** The tag of the group that a number is in. */
export function groupOf(number: number): string {
  return `group:${number % GROUPS}`
}

/** How the value of a subject is remembered: some end so early that they are loaded anew all the time, each in another way. */
export function lifetimeOf({ number }: Subject): RememberOptions {
  switch (number % 8) {
    case 0:
      return { ttl: '1s', staleWhileRevalidate: '1h' }
    case 1:
      return { ttl: '1s', staleIfError: '1h', softTimeoutMs: 20 }
    case 2:
      return { ttl: '2s', refreshAhead: 0.5 }
    default:
      return { ttl: '1h' }
  }
}

/** May it be served when it is stale? */
export function mayBeStale(subject: Subject): boolean {
  const { staleWhileRevalidate, staleIfError } = lifetimeOf(subject)
  return staleWhileRevalidate !== undefined || staleIfError !== undefined
}

import { createHash } from 'node:crypto'
import type { Cache } from '../../lib/cache.ts'
import type { Entry } from '../../lib/entry.ts'
import { matchesGlob } from '../../lib/glob.ts'
import { fieldValue } from '../../lib/http/fields.ts'
import type { StoredResponse } from '../../lib/http/stored-response.ts'
import { tagOf, urlTags } from '../../lib/key.ts'
import { refusal } from './answer.ts'
import { BadRequest, type Query, single } from './query.ts'
import type { Route } from './router.ts'
import { checkPattern, checkTag, checkUrl } from './targets.ts'

/** Look at what is kept: the list and one entry. Bodies, cookies and credentials are never shown. */
export const ENTRY_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/entries',
    parameters: ['url', 'key', 'tag', 'pattern', 'cursor', 'limit'],
    async run({ cache, query }) {
      const tests = testsOf(query)
      const limit = limitOf(single(query, 'limit'))
      const { found, cursor } = await scan(cache, {
        from: cursorOf(single(query, 'cursor')),
        limit,
        pageSize: tests.length === 0 ? limit : PAGE_SIZE,
        matches: (entry) => tests.every((test) => test(entry)),
      })
      const now = cache.engine.clock.now()
      return { status: 200, body: { entries: found.map((entry) => summaryOf(entry, now)), ...cursorMember(cursor) } }
    },
  },
  {
    method: 'GET',
    path: '/entries/:id',
    parameters: ['cursor'],
    async run({ cache, segment, query }) {
      const { found, cursor } = await scan(cache, {
        from: cursorOf(single(query, 'cursor')),
        limit: 1,
        pageSize: PAGE_SIZE,
        matches: (entry) => idOf(entry) === segment,
      })
      const [entry] = found
      if (entry !== undefined) return { status: 200, body: detailOf(entry, cache.engine.clock.now()) }
      const message =
        cursor === undefined
          ? 'No entry has this id; it may have been evicted or invalidated.'
          : 'Not among the entries looked at so far; ask again with this cursor to go on.'
      const missing = refusal(404, message)
      return { ...missing, body: { ...missing.body, ...cursorMember(cursor) } }
    },
  },
]

/** How much is looked at for one request. */
const MAX_PAGES = 10
const PAGE_SIZE = 1_000
const DEFAULT_LIMIT = 100

type Test = (entry: Entry) => boolean

function testsOf(query: Query): readonly Test[] {
  const tests: Test[] = []
  const url = single(query, 'url')
  if (url !== undefined) {
    const wanted = urlTags(checkUrl(url))
    tests.push(({ tags }) => wanted.some((tag) => tags.includes(tag)))
  }
  const key = single(query, 'key')
  if (key !== undefined) tests.push(({ kind, name }) => kind === 'value' && name === key)
  const tag = single(query, 'tag')
  if (tag !== undefined) {
    const wanted = tagOf.tag(checkTag(tag))
    tests.push(({ tags }) => tags.includes(wanted))
  }
  const pattern = single(query, 'pattern')
  if (pattern !== undefined) {
    const glob = checkPattern(pattern)
    tests.push(({ kind, name }) => glob.startsWith('/') === (kind !== 'value') && matchesGlob(glob, name))
  }
  return tests
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > PAGE_SIZE) throw new BadRequest(`limit is a whole number from 1 to ${PAGE_SIZE}.`)
  return limit
}

/** A place between two entries: the store's page, and how many of it were looked at. */
interface Place {
  readonly page: string | undefined
  readonly skip: number
}

function cursorOf(text: string | undefined): Place {
  if (text === undefined) return { page: undefined, skip: 0 }
  const match = /^(\d{1,4})(?:~([\w.:-]{1,100}))?$/.exec(text)
  if (match === null) throw new BadRequest('cursor is not one that this list has given out.')
  return { page: match[2], skip: Number(match[1]) }
}

function cursorMember(place: Place | undefined): { readonly cursor?: string } {
  if (place === undefined) return {}
  return { cursor: place.page === undefined ? String(place.skip) : `${place.skip}~${place.page}` }
}

interface Scan {
  readonly from: Place
  readonly limit: number
  readonly pageSize: number
  readonly matches: Test
}

async function scan(
  cache: Cache,
  { from, limit, pageSize, matches }: Scan,
): Promise<{ readonly found: readonly Entry[]; readonly cursor: Place | undefined }> {
  const found: Entry[] = []
  let { page, skip }: Place = from
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const { entries, cursor: next } = await cache.entries({
      limit: pageSize,
      ...(page === undefined ? {} : { cursor: page }),
    })
    for (let index = skip; index < entries.length; index++) {
      const entry = entries[index] as Entry
      if (!matches(entry)) continue
      found.push(entry)
      if (found.length === limit && index + 1 < entries.length) return { found, cursor: { page, skip: index + 1 } }
    }
    if (next === undefined) return { found, cursor: undefined }
    page = next
    skip = 0
    if (found.length === limit) break
  }
  return { found, cursor: { page, skip } }
}

/** Short, and tells nothing of the key. */
function idOf({ key }: Entry): string {
  return createHash('sha256').update(key).digest().subarray(0, 16).toString('base64url')
}

interface EntrySummary {
  readonly id: string
  readonly key: string
  /** Path and query, or the service key. */
  readonly name: string
  readonly kind: Entry['kind']
  readonly tags: readonly string[]
  /** Whole seconds until it is stale, negative since. */
  readonly ttl: number
  readonly bytes: number
  readonly status?: number
  readonly contentType?: string
  readonly cachedAt: string
  readonly staleAt: string
}

function summaryOf(entry: Entry, now: number): EntrySummary {
  const response = responseOf(entry)
  const contentType = response === undefined ? undefined : fieldValue(response.fields, 'content-type')
  return {
    id: idOf(entry),
    key: shownKey(entry),
    name: entry.name,
    kind: entry.kind,
    tags: userTags(entry),
    ttl: Math.floor((entry.staleAt - now) / 1_000),
    bytes: entry.size,
    ...(response === undefined ? {} : { status: response.status }),
    ...(contentType === undefined ? {} : { contentType }),
    cachedAt: isoTime(entry.cachedAt),
    staleAt: isoTime(entry.staleAt),
  }
}

function detailOf(entry: Entry, now: number): object {
  const response = responseOf(entry)
  return {
    ...summaryOf(entry, now),
    deleteAt: isoTime(entry.deleteAt),
    ...(response === undefined
      ? {}
      : {
          bodyBytes: response.body.length,
          audience: response.audience,
          vary: response.vary,
          fields: response.fields.map(([name, value]) => [name, isSecret(name) ? HIDDEN : value]),
        }),
  }
}

function responseOf(entry: Entry): StoredResponse | undefined {
  return entry.kind === 'response' ? (entry.value as StoredResponse) : undefined
}

const HIDDEN = '[hidden]'
const SECRETS: ReadonlySet<string> = new Set([
  'set-cookie',
  'cookie',
  'authorization',
  'proxy-authorization',
  'x-api-key',
])

function isSecret(name: string): boolean {
  return SECRETS.has(name.toLowerCase())
}

/** The key of a variant contains the request fields it was selected by: not those that are credentials. */
function shownKey(entry: Entry): string {
  const names = responseOf(entry)?.vary ?? []
  if (!names.some(isSecret)) return entry.key
  const marker = ` ~${names.join(',')} `
  const end = entry.key.indexOf(marker)
  return end === -1 ? entry.key : `${entry.key.slice(0, end)}${marker}${HIDDEN}`
}

const USER_TAG = tagOf.tag('')

function userTags({ tags }: Entry): readonly string[] {
  return tags.filter((tag) => tag.startsWith(USER_TAG)).map((tag) => tag.slice(USER_TAG.length))
}

/** An instant beyond what a date can say is none that matters to people. */
function isoTime(instant: number): string {
  return new Date(Math.min(instant, LAST_INSTANT)).toISOString()
}

const LAST_INSTANT = 8.64e15

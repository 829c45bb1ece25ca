import type { Fields } from '../../../lib/http/fields.ts'
import { freshenedFields, identifies, judgeHead, type Recognised } from '../../../lib/http/validation.ts'
import { CODING, DATE, ENTITY_TAG, HEAD, LENGTH_FIELD } from '../seeds.ts'
import { entityTagIn, firstOf, headOf, linesOf, type Subject } from '../subject.ts'

const NOW = Date.UTC(2026, 10, 21)

const STORED: Recognised = {
  etag: 'W/"xyzzy"',
  lastModified: 'Sun, 06 Nov 1994 08:49:37 GMT',
  fields: [
    ['ETag', 'W/"xyzzy"'],
    ['Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['Content-Length', '5'],
    ['Age', '7'],
    ['X-Kept', 'a'],
    ['x-kept', 'b'],
  ],
  body: Buffer.from('hello'),
}

const identified: Subject<boolean> = {
  name: 'identifies',
  slots: [
    { name: 'ETag', seeds: ENTITY_TAG, optional: true },
    { name: 'Last-Modified', seeds: DATE, optional: true },
  ],
  run: ([etag, modified]) => identifies([...linesOf('ETag', etag), ...linesOf('last-modified', modified)], STORED),
  problem: (result, [etag]) => {
    const tag = entityTagIn(
      linesOf('etag', etag)
        .map(([, line]) => line)
        .join(', '),
    )
    return firstOf({
      'it is a verdict': typeof result === 'boolean',
      'another tag is about another response (VAL-12)': !result || tag === undefined || tag.endsWith('"xyzzy"'),
      'a strong tag is not about a weak one (VAL-12)': !result || tag === undefined || tag.startsWith('W/'),
    })
  },
}

const updated: Subject<Fields> = {
  name: 'freshenedFields',
  slots: [{ name: 'head of a 304', seeds: HEAD }],
  run: ([head = '']) => freshenedFields(STORED.fields, headOf(head), NOW),
  problem: (result, [head = '']) => {
    const told = new Set(headOf(head).map(([name]) => name.toLowerCase()))
    return firstOf({
      'the length stays that of the body (HDR-21)': valuesOf(result, 'content-length').join() === '5',
      'there is a date (HDR-24)': valuesOf(result, 'date').length > 0,
      'what it does not mention stays':
        told.has('x-kept') || told.has('connection') || valuesOf(result, 'x-kept').join() === 'a,b',
      'the old age goes (HDR-24)': told.has('age') || valuesOf(result, 'age').length === 0,
      'nothing of the connection comes in (HDR-2)': valuesOf(result, 'connection').length === 0,
    })
  },
}

const head: Subject<'confirms' | 'outdated'> = {
  name: 'judgeHead',
  slots: [
    { name: 'ETag', seeds: ENTITY_TAG, optional: true },
    { name: 'Last-Modified', seeds: DATE, optional: true },
    { name: 'Content-Length', seeds: LENGTH_FIELD, optional: true },
    { name: 'Content-Encoding', seeds: CODING, optional: true },
  ],
  run: ([etag, modified, length, coding]) =>
    judgeHead(
      [
        ...linesOf('etag', etag),
        ...linesOf('Last-Modified', modified),
        ...linesOf('Content-Length', length),
        ...linesOf('Content-Encoding', coding),
      ],
      STORED,
    ),
  problem: (result, [etag]) =>
    firstOf({
      'another tag is another response (VAL-20)': result === 'outdated' || etag === undefined || etag === STORED.etag,
      'it is a verdict': result === 'confirms' || result === 'outdated',
    }),
}

/** What holds an answer against what is stored. */
export const UPDATES: readonly Subject[] = [identified, updated, head]

function valuesOf(fields: Fields, lowerName: string): string[] {
  return fields.filter(([name]) => name.toLowerCase() === lowerName).map(([, value]) => value)
}

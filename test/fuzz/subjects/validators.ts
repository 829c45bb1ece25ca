import { isNotModified } from '../../../lib/http/conditional.ts'
import { formatHttpDate, parseHttpDate } from '../../../lib/http/dates.ts'
import { parseEntityTag, parseEntityTagList } from '../../../lib/http/entity-tag.ts'
import { type ByteRange, byteRanges, rangeApplies } from '../../../lib/http/ranges.ts'
import { DATE, ENTITY_TAG, ENTITY_TAGS, LENGTH, RANGE } from '../seeds.ts'
import { entityTagIn, firstOf, type Subject } from '../subject.ts'

const NOW = Date.UTC(2026, 10, 21)

const date: Subject<number | undefined> = {
  name: 'parseHttpDate',
  slots: [{ name: 'date', seeds: DATE }],
  run: ([text = '']) => parseHttpDate(text, NOW),
  problem: (result) =>
    result === undefined
      ? undefined
      : firstOf({
          'it is an instant with whole seconds': Number.isSafeInteger(result) && result % 1000 === 0,
          'it reads what it writes (DAT-1)':
            parseHttpDate(formatHttpDate(result), NOW) === result || isLeapSecond(result),
        }),
}

const tag: Subject<string | undefined> = {
  name: 'parseEntityTag',
  slots: [{ name: 'ETag', seeds: ENTITY_TAG }],
  run: ([value = '']) => parseEntityTag(value),
  problem: (result, [value = '']) =>
    firstOf({ 'an entity tag and nothing else (CON-6, CON-7)': result === entityTagIn(value) }),
}

const tagList: Subject<string[] | '*' | undefined> = {
  name: 'parseEntityTagList',
  slots: [{ name: 'If-None-Match', seeds: ENTITY_TAGS }],
  run: ([value = '']) => parseEntityTagList(value),
  problem: (result, [value = '']) =>
    result === undefined
      ? undefined
      : firstOf({
          'a star stands alone (CON-8)': (result === '*') === (value.replace(/^[ \t]+|[ \t]+$/g, '') === '*'),
          'members are entity tags': result === '*' || result.every((member) => parseEntityTag(member) === member),
          'a list has members': result.length > 0,
        }),
}

const condition: Subject<boolean> = {
  name: 'isNotModified',
  slots: [
    { name: 'If-None-Match', seeds: ENTITY_TAGS, optional: true },
    { name: 'If-Modified-Since', seeds: DATE, optional: true },
  ],
  run: ([tags, since]) =>
    isNotModified({ 'if-none-match': tags, 'if-modified-since': since }, { etag: 'W/"xyzzy"', modifiedAt: NOW }, NOW),
  problem: (result, [tags, since]) =>
    firstOf({
      'it is a verdict': typeof result === 'boolean',
      'without a condition nothing is unmodified': !result || tags !== undefined || since !== undefined,
      'a tag that is nowhere is not matched': !result || tags === undefined || /xyzzy|\*/.test(tags),
    }),
}

const ranges: Subject<readonly ByteRange[] | 'unsatisfiable' | undefined> = {
  name: 'byteRanges',
  slots: [
    { name: 'Range', seeds: RANGE, optional: true },
    { name: 'length', seeds: LENGTH },
  ],
  run: ([range, length]) => byteRanges(range, lengthOf(length)),
  problem: (result, [range, text]) => {
    if (result === undefined || result === 'unsatisfiable') {
      return result === undefined || range !== undefined ? undefined : 'what nobody asked for cannot be unsatisfiable'
    }
    const length = lengthOf(text)
    return firstOf({
      'there are some, and not too many (RNG-14)': result.length > 0 && result.length <= 16,
      'positions are whole numbers': result.every(({ start, end }) => Number.isInteger(start) && Number.isInteger(end)),
      'they lie within the body (RNG-5)': result.every(({ start, end }) => 0 <= start && start <= end && end < length),
      'none overlaps or touches another (RNG-13)': result.every((one) =>
        result.every((other) => one === other || one.end + 1 < other.start || other.end + 1 < one.start),
      ),
    })
  },
}

const ifRange: Subject<boolean> = {
  name: 'rangeApplies',
  slots: [
    { name: 'If-Range', seeds: [...ENTITY_TAG, ...DATE], optional: true },
    { name: 'Last-Modified', seeds: DATE, optional: true },
    { name: 'Date', seeds: DATE, optional: true },
    { name: 'ETag', seeds: ENTITY_TAG, optional: true },
  ],
  run: ([value, lastModified, generated, etag]) =>
    rangeApplies(
      { range: 'bytes=0-1', 'if-range': value },
      { etag, lastModified, date: generated, negotiated: false },
      NOW,
    ),
  problem: (result, [value, lastModified, , etag]) =>
    firstOf({
      'it is a verdict': typeof result === 'boolean',
      'without a condition the range applies': value !== undefined || result,
      'a weak tag never matches (RNG-7)': !result || !/^[ \t]*W\//.test(value ?? ''),
      'without a validator nothing matches': !result || value === undefined || (etag ?? lastModified) !== undefined,
    }),
}

/** Parsers of validators, and of what is held against them. */
export const VALIDATORS: readonly Subject[] = [date, tag, tagList, condition, ranges, ifRange]

function lengthOf(text: string | undefined): number {
  const length = Number(text)
  return Number.isSafeInteger(length) && length >= 0 ? length : 1000
}

/** The last second of the last year has four digits only if it is not a leap second. */
function isLeapSecond(instant: number): boolean {
  return new Date(instant).getUTCFullYear() > 9999
}

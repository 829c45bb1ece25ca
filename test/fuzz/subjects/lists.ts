import { type Fields, splitList, splitOutsideQuotes, storableFields, trimOws } from '../../../lib/http/fields.ts'
import { tagsOf } from '../../../lib/http/tag-fields.ts'
import { parseVary, variantValues } from '../../../lib/http/vary.ts'
import { ACCEPT, HEAD, KEYS, LIST, TAGS, VARY } from '../seeds.ts'
import { firstOf, headOf, isLowerToken, isTight, linesOf, type Subject } from '../subject.ts'

const list: Subject<string[]> = {
  name: 'splitList',
  slots: [{ name: 'list', seeds: LIST }],
  run: ([value = '']) => splitList(value),
  problem: (result, [value = '']) =>
    firstOf({
      'no member is empty (PAR-4)': !result.includes(''),
      'no member has white space around it': result.every(isTight),
      'members are parts of the value, in order': areIn(value, result),
    }),
}

const parts: Subject<string[]> = {
  name: 'splitOutsideQuotes',
  slots: [{ name: 'parameters', seeds: LIST }],
  run: ([value = '']) => splitOutsideQuotes(value, ';'),
  problem: (result, [value = '']) =>
    firstOf({
      'there is at least one part': result.length > 0,
      'a separator outside quotes is in no part': !result.some((part) => !part.includes('"') && part.includes(';')),
      'parts have no white space around them': result.every(isTight),
      'parts are in the value, in order': areIn(value, result),
    }),
}

const trimmed: Subject<string> = {
  name: 'trimOws',
  slots: [{ name: 'value', seeds: LIST }],
  run: ([value = '']) => trimOws(value),
  problem: (result, [value = '']) =>
    firstOf({
      'only spaces and tabs go': result === value.replace(/^[ \t]+/, '').slice(0, result.length) && isTight(result),
    }),
}

const storable: Subject<Fields> = {
  name: 'storableFields',
  slots: [{ name: 'head', seeds: HEAD }],
  run: ([text = '']) => storableFields(headOf(text)),
  problem: (result, [text = '']) => {
    const connection = headOf(text)
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.split(','))
    const options = new Set(connection.map((name) => name.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase()))
    return firstOf({
      'nothing of the connection is kept (HDR-2)': !result.some(([name]) => HOP_BY_HOP.test(name)),
      'nothing that Connection names is kept (HDR-2)': !result.some(([name]) => options.has(name.toLowerCase())),
      'no pseudo-field is kept (HDR-11)': !result.some(([name]) => name.startsWith(':')),
    })
  },
}

const vary: Subject<readonly string[] | '*'> = {
  name: 'parseVary',
  slots: [{ name: 'Vary', seeds: VARY, optional: true }],
  run: ([value]) => parseVary(linesOf('vary', value)),
  problem: (result, [value = '']) =>
    result === '*'
      ? undefined
      : firstOf({
          'a star anywhere is a star (VRY-5)': !value.split(/[,\n]/).some((name) => name.trim() === '*'),
          'names are names in lower case': result.every(isLowerToken),
          'names are sorted and unique': result.every((name, index) => index === 0 || (result[index - 1] ?? '') < name),
          'there are not many': result.length <= 16,
        }),
}

const NAMES = ['accept', 'accept-language', 'x-any']

const variants: Subject<(string | undefined)[] | undefined> = {
  name: 'variantValues',
  slots: [
    { name: 'Accept', seeds: ACCEPT, optional: true },
    { name: 'Accept-Language', seeds: ACCEPT, optional: true },
    { name: 'X-Any', seeds: LIST, optional: true },
  ],
  run: (texts) => variantValues(NAMES, Object.fromEntries(NAMES.map((name, index) => [name, texts[index]]))),
  problem: (result, texts) => {
    if (texts.some((text) => text !== undefined && text.length > 1024)) {
      return result === undefined ? undefined : 'values too long for a key are refused'
    }
    if (result === undefined) return 'values fit for a key are used'
    return firstOf({
      'a value for each name': result.length === NAMES.length,
      'absent stays absent, present present (VRY-4)': result.every(
        (value, index) => (value === undefined) === (texts[index] === undefined),
      ),
      // Normalising may lengthen a list of preferences, and takes away one weight of several.
      'what is normal stays as it is': result.every(
        (value) =>
          value === undefined || value.length > 1024 || WEIGHTS.test(value) || String(variantOf(value)) === value,
      ),
    })
  },
}

const tags: Subject<readonly string[]> = {
  name: 'tagsOf',
  slots: [
    { name: 'Cache-Tag', seeds: TAGS, optional: true },
    { name: 'Surrogate-Key', seeds: KEYS, optional: true },
  ],
  run: ([commas, spaces]) => tagsOf([...linesOf('Cache-Tag', commas), ...linesOf('surrogate-key', spaces)]),
  problem: (result) =>
    firstOf({ 'no tag is empty': !result.includes(''), 'no tag has white space around it': result.every(isTight) }),
}

/** Parsers of lists and heads. */
export const LISTS: readonly Subject[] = [list, parts, trimmed, storable, vary, variants, tags]

const WEIGHTS = /;[ \t]*q=1/i

/** The same value again, as that of a field with preferences and of one without: one of the two it was. */
function variantOf(value: string): string | undefined {
  const again = variantValues(['accept', 'x-any'], { accept: value, 'x-any': value })
  return again?.includes(value) === true ? value : again?.[0]
}

const HOP_BY_HOP =
  /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-(?:authenticate|authentication-info|authorization|connection)|content-length)$/i

function areIn(value: string, members: readonly string[]): boolean {
  let from = 0
  for (const member of members) {
    const at = value.indexOf(member, from)
    if (at === -1) return false
    from = at + member.length
  }
  return true
}

import { parseGroups } from '../../../lib/http/cache-groups.ts'
import { isIncremental } from '../../../lib/http/incremental.ts'
import { type NoVarySearch, parseNoVarySearch, significantQuery } from '../../../lib/http/no-vary-search.ts'
import { BOOLEAN, GROUPS, NO_VARY_SEARCH, QUERY } from '../seeds.ts'
import { firstOf, linesOf, type Subject } from '../subject.ts'

const groups: Subject<readonly string[] | undefined> = {
  name: 'parseGroups',
  slots: [{ name: 'Cache-Groups', seeds: GROUPS, optional: true }],
  run: ([value]) => parseGroups(value),
  problem: (result, [value]) =>
    result === undefined
      ? firstOf({ 'only what is long cannot be kept (GRP-2)': (value?.length ?? 0) > 256 })
      : firstOf({
          'not more than can be kept (GRP-2)': result.length <= 128 && result.every((group) => group.length <= 256),
          'each once': new Set(result).size === result.length,
          'printable ASCII (SF-4)': result.every((group) => /^[\x20-\x7e]*$/.test(group)),
          'absent names none': value !== undefined || result.length === 0,
        }),
}

const incremental: Subject<boolean> = {
  name: 'isIncremental',
  slots: [{ name: 'Incremental', seeds: BOOLEAN, optional: true }],
  run: ([value]) => isIncremental(linesOf('incremental', value)),
  problem: (result, [value]) =>
    firstOf({ 'only a true Boolean counts (IFW-1)': !result || /^ *\?1(?:$|[ ;])/.test(value ?? '') }),
}

const noVarySearch: Subject<NoVarySearch | undefined> = {
  name: 'parseNoVarySearch',
  slots: [{ name: 'No-Vary-Search', seeds: NO_VARY_SEARCH, optional: true }],
  run: ([value]) => parseNoVarySearch(value),
  problem: (result, [value]) =>
    result === undefined
      ? undefined
      : firstOf({
          'absent is the default': value !== undefined,
          'key-order is a flag': typeof result.keyOrder === 'boolean',
          'one of the two lists (NVS-2)': result.except === undefined || result.params.length === 0,
          'names are texts': [...result.params, ...(result.except ?? [])].every((name) => typeof name === 'string'),
        }),
}

const PARAMS: NoVarySearch = { keyOrder: true, params: ['utm_source', 'a'], except: undefined }
const EXCEPT: NoVarySearch = { keyOrder: false, params: [], except: ['id', 'a'] }

const query: Subject<readonly (string | undefined)[]> = {
  name: 'significantQuery',
  slots: [{ name: 'query', seeds: QUERY }],
  run: ([text = '']) => [significantQuery(text, PARAMS), significantQuery(text, EXCEPT)],
  problem: ([byParams, byExcept], [text = '']) => {
    const [left, kept] = [namesIn(byParams), namesIn(byExcept)]
    return firstOf({
      'what is ignored is gone (NVS-3)': !left.includes('utm_source') && !left.includes('a'),
      'only what counts is left (NVS-3)': kept.every((name) => name === 'id' || name === 'a'),
      'names are in order (NVS-3)': left.every((name, index) => index === 0 || (left[index - 1] ?? '') <= name),
      'a second time changes nothing':
        byParams === undefined || byParams.length > 8000 || significantQuery(byParams, PARAMS) === byParams,
      'what makes no difference makes none (NVS-5)':
        byParams === undefined || text.length > 8000 || significantQuery(`utm_source=x&${text}`, PARAMS) === byParams,
      'brackets cannot be told apart under except (NVS-10)': byExcept === undefined || !/(?:^|&)[^=&]*[[\]]/.test(text),
    })
  },
}

/** Parsers of structured fields, and what they configure. */
export const STRUCTURED: readonly Subject[] = [groups, incremental, noVarySearch, query]

function namesIn(text: string | undefined): string[] {
  return text === undefined || text === '' ? [] : [...new URLSearchParams(`?${text}`).keys()]
}

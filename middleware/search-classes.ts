import { type Fields, fieldValue } from '../lib/http/fields.ts'
import { type NoVarySearch, parseNoVarySearch, significantQuery } from '../lib/http/no-vary-search.ts'
import { recent } from '../lib/recent.ts'

/**
 * URLs that a resource has said to be equal but for their query (No-Vary-Search): the last word of each path is remembered, and
 * what it leaves of a URL names the class of URLs that share stored responses (NVS-7).
 */

/** Paths that are remembered; the URLs of a forgotten one are told apart again until its next answer. */
const MAX_PATHS = 10_000

export class SearchClasses {
  readonly #configs = recent<NoVarySearch>(MAX_PATHS)

  /** The class that this URI belongs to by what its path has said last; undefined: itself alone. */
  classOf(uri: string): string | undefined {
    const { path, query } = parts(uri)
    const config = this.#configs.get(path)
    return config === undefined ? undefined : nameOf(path, query, config)
  }

  /** The same by what this answer says, which counts from now on (NVS-13). */
  learn(uri: string, fields: Fields): string | undefined {
    const { path, query } = parts(uri)
    const config = parseNoVarySearch(fieldValue(fields, 'no-vary-search'))
    if (config === undefined) {
      this.#configs.delete(path)
      return undefined
    }
    this.#configs.set(path, config)
    return nameOf(path, query, config)
  }
}

function parts(uri: string): { readonly path: string; readonly query: string } {
  const mark = uri.indexOf('?')
  return mark === -1 ? { path: uri, query: '' } : { path: uri.slice(0, mark), query: uri.slice(mark + 1) }
}

/** No URI contains a space, so that no class can be taken for one. */
function nameOf(path: string, query: string, config: NoVarySearch): string | undefined {
  const significant = significantQuery(query, config)
  return significant === undefined ? undefined : `${path} *${significant}`
}

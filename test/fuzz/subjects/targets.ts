import { type Invalidation, judgeInvalidation } from '../../../lib/http/methods.ts'
import { stripQuery, type Target, targetUri } from '../../../lib/http/target.ts'
import { AUTHORITY, METHOD, REFERENCE, TARGET } from '../seeds.ts'
import { firstOf, linesOf, type Subject } from '../subject.ts'

const target: Subject<Target | undefined> = {
  name: 'targetUri',
  slots: [
    { name: 'authority', seeds: AUTHORITY, optional: true },
    { name: 'target', seeds: TARGET },
  ],
  run: ([authority, originalUrl = '']) => targetUri({ scheme: 'http', authority, originalUrl }),
  problem: (result, [authority]) =>
    result === undefined
      ? undefined
      : firstOf({
          'a host is needed': authority !== undefined,
          'it is on the origin (KEY-2)': /^http:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?\//.test(
            result.uri,
          ),
          'the path is behind the origin': result.path.startsWith('/') && result.uri.endsWith(result.path),
          'it is visible ASCII': /^[\x21-\x7e]+$/.test(result.uri),
          'it is not long': result.path.length <= 8192,
        }),
}

const IGNORED = ['utm_source', 'a', '']

const query: Subject<string> = {
  name: 'stripQuery',
  slots: [{ name: 'path', seeds: TARGET }],
  run: ([path = '']) => stripQuery(path, IGNORED),
  problem: (result, [path = '']) => {
    const mark = result.indexOf('?')
    const names =
      mark === -1
        ? []
        : result
            .slice(mark + 1)
            .split('&')
            .map((parameter) => parameter.split('=', 1)[0])
    return firstOf({
      'the path stays': result.split('?', 1)[0] === path.split('?', 1)[0],
      'what is ignored is gone': !names.some((name) => name !== undefined && IGNORED.includes(name)),
      'nothing is added': result.length <= path.length,
      'a second time changes nothing': stripQuery(result, IGNORED) === result,
    })
  },
}

const BASE = 'http://example.com/a?b'

const invalidation: Subject<Invalidation> = {
  name: 'judgeInvalidation',
  slots: [
    { name: 'Location', seeds: REFERENCE, optional: true },
    { name: 'Content-Location', seeds: REFERENCE, optional: true },
    { name: 'method', seeds: METHOD },
  ],
  run: ([location, contentLocation, method = '']) =>
    judgeInvalidation({
      method,
      status: 201,
      uri: BASE,
      fields: [...linesOf('location', location), ...linesOf('Content-Location', contentLocation)],
    }),
  problem: ({ uris }) =>
    firstOf({
      'the target comes first, if any (DI-2)': uris.length === 0 || uris[0] === BASE,
      'others are on the same origin (INV-5)': uris.every((uri) => uri.startsWith('http://example.com/')),
      'none has a fragment': !uris.some((uri) => uri.includes('#')),
    }),
}

/** Parsers of what names a resource. */
export const TARGETS: readonly Subject[] = [target, query, invalidation]

/**
 * Texts that are easy to make long and hard to read: what a client or a handler would send who wants a parser to take more than
 * its share. Each is grown to any length, so that the work for twice the length can be compared.
 */

/** A way to fill any length. */
export interface Shape {
  readonly name: string
  /** A text of about `length` characters, and no more. */
  fill(length: number): string
}

/** The shapes that every parser is given, whatever it reads. */
export const SHAPES: readonly Shape[] = [
  ...[
    ',',
    ' ',
    '\t',
    '"',
    '\\',
    '\\"',
    '=',
    ';',
    ':',
    '/',
    '-',
    '*',
    '?',
    '&',
    '%',
    '@',
    '(',
    '()',
    '[',
    '\n',
    '\0',
    '\u00ff',
    '\ud800',
    '9',
    '0',
    'a',
    'A',
    'W/',
    'a ',
    ' a',
    ' ,',
    ', "',
    '"",',
    '"a",',
    'W/"a", ',
    'a,',
    'a=,',
    'a="',
    'a="b",',
    'a="b\\",',
    'max-age=1, ',
    's-maxage=1,max-age=2,',
    'private="a", ',
    'no-cache="a, b", ',
    'no-cache=a,',
    'stale-if-error=9,max-stale,min-fresh=1,',
    'gzip;q=1,',
    'a;q="',
    'a;b;c=1',
    'a=1&',
    '%41=%5b&',
    '0-,',
    '0-0,',
    '-1,',
    '5-3,',
    '(a b) ',
    '%"a',
    ':YQ==:,',
    '60.0, ',
    'Sun, 06 Nov 1994 08:49:37 GMT, ',
    'a\n',
    'a, b\n',
  ].map(repeated),
  starting('opened string, then', '"', 'a'),
  starting('opened string, then', '"', '\\'),
  starting('opened argument, then', 'a="', 'b,'),
  starting('opened argument, then', 'max-age=1, private="', 'a, '),
  starting('one list of names in', 'private="', 'a,', '"'),
  starting('one list of names in', 'no-cache="', 'a-b , ', '"'),
  starting('one number in', 'max-age=', '9'),
  starting('ranges in', 'bytes=', '0-0,'),
  starting('ranges in', 'bytes=', '-1,'),
  starting('a position in', 'bytes=', '9'),
  starting('a tag of', '"', 'a', '"'),
  starting('members of a dictionary,', '', 'max-age=1, ', 'a'),
  starting('members of a dictionary,', '', 'no-cache="a", ', 'a'),
  starting('groups in', 'params=(', '"a" ', ')'),
  starting('query of', '/?', 'a=b&'),
  starting('query of', '/?', '&'),
  starting('absolute target of', 'http://', 'a'),
  starting('absolute target of', 'http://example.com/', '/'),
  numbered('tokens', (index) => `a${index}, `),
  numbered('numbers of a dictionary', (index) => `a${index}=${index}, `, 'z'),
  numbered('strings of a dictionary', (index) => `a${index}="b", `, 'z'),
  numbered('decimals of a dictionary', (index) => `max-age=1.${index % 10}, a${index}=1, `, 'z'),
  numbered('parameters', (index) => `;a${index}=1`),
  numbered('strings', (index) => `"a${index}", `, '"z"'),
  numbered('strings of an inner list', (index) => `"a${index}" `),
  numbered('entity tags', (index) => `W/"${index}", `),
  numbered('qualified directives', (index) => `private="a${index}", `),
  numbered('ranges', (index) => `${index * 2}-${index * 2}, `),
  numbered('overlapping ranges', (index) => `0-${index}, `),
  numbered('descending ranges', (index) => `${900_000 - index}-, `),
  numbered('query parameters', (index) => `a${index}=b&`),
  numbered('field lines', (index) => `a${index}: b${index}\n`),
  numbered('lines of names', (index) => `a${index}, b\n`),
  numbered('named field lines', (index) => `Connection: a${index}\na${index}: b\n`),
  numbered('references', (index) => `/a${index}\n`),
]

// Whole units only: a text that ends within one would be another kind of text.

function repeated(unit: string): Shape {
  return { name: `${JSON.stringify(unit)} repeated`, fill: (length) => unit.repeat(Math.floor(length / unit.length)) }
}

/** A beginning, then one unit again and again, then an end. */
function starting(what: string, head: string, unit: string, tail = ''): Shape {
  return {
    name: `${what} ${JSON.stringify(head + unit)}`,
    fill: (length) => {
      const room = Math.max(0, length - head.length - tail.length)
      return head + unit.repeat(Math.floor(room / unit.length)) + tail
    },
  }
}

/** No two units are equal. */
function numbered(what: string, unit: (index: number) => string, tail = ''): Shape {
  return {
    name: `different ${what}`,
    fill: (length) => {
      const units: string[] = []
      let room = length - tail.length
      for (let text = unit(0); text.length <= room; text = unit(units.length)) {
        units.push(text)
        room -= text.length
      }
      return units.join('') + tail
    },
  }
}

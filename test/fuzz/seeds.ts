/** Real values of the fields that are read, each list by the name of what it is about. Field lines are separated by line feeds. */

export const CACHE_CONTROL: readonly string[] = [
  'max-age=60',
  'public, max-age=31536000, immutable',
  'private, no-cache, no-store, must-revalidate, max-age=0',
  's-maxage=600, stale-while-revalidate=30, stale-if-error=86400',
  'no-cache="set-cookie, authorization", max-age=3600',
  'private="x-user", public, s-maxage=1',
  'max-stale, min-fresh=10, only-if-cached',
  'max-stale=30, no-transform',
  'max-age="60", must-understand, no-store',
  'ext="max-age=3600, no-store", max-age=1',
  'Max-Age = 60',
  ', ,no-store,,',
  'max-age=99999999999999999999',
  'max-age=1\nmax-age=2',
  'private="',
]

export const DICTIONARY: readonly string[] = [
  'max-age=60',
  'max-age=60, stale-while-revalidate=30, public',
  'no-store',
  'no-cache="set-cookie", max-age=600',
  'private=?0, max-age=60;ext="a;b", s-maxage=60.0',
  'max-age=(1 2), ext=:YQ==:, at=@1659578233, name=%"f%c3%bc"',
  'max-age="60"',
  'max-age=-1, a=?1;b',
]

export const DELTA_SECONDS: readonly string[] = [
  '0',
  '60',
  '003600',
  '2147483648',
  '99999999999999999999',
  '-1',
  '1.5',
  '60s',
]

export const DATE: readonly string[] = [
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
  'Sat, 21 Nov 2026 00:00:00 GMT',
  'Sat, 21 Nov 2026 01:00:00 GMT',
  'Thursday, 29-Feb-00 23:59:60 GMT',
  'Tue, 31 Dec 9999 23:59:59 GMT',
  'Sat, 01 Jan 0000 00:00:00 GMT',
  '0',
]

export const ENTITY_TAG: readonly string[] = ['"xyzzy"', 'W/"xyzzy"', '""', '"a,b"', '"\u00fc"', 'w/"a"', 'xyzzy']

export const ENTITY_TAGS: readonly string[] = [
  '*',
  '"xyzzy"',
  'W/"xyzzy", "r2d2xxxx", W/"c3piozzzz"',
  ', ,"a",,\t"b" ,',
  '"a" "b"',
]

export const RANGE: readonly string[] = [
  'bytes=0-499',
  'bytes=500-',
  'bytes=-500',
  'bytes=0-0,-1',
  'bytes= 0-999, 4500-5499, -1000',
  'Bytes=9500-',
  'bytes=500-600,601-999',
  'lines=1-2',
  'bytes=5-3',
]

export const LENGTH: readonly string[] = ['0', '1', '1000', '10000']

export const VARY: readonly string[] = [
  'Accept-Encoding',
  'accept-encoding, Accept-Language, Origin',
  '*',
  'Cookie\nAuthorization, *',
  ', ,foo',
  'Bad Name',
]

export const ACCEPT: readonly string[] = [
  'gzip, deflate, br',
  'text/html,application/xhtml+xml;q=0.9,image/webp,*/*;q=0.8',
  'de-AT, en;q=0.7, *;q=0.3',
  'text/plain; charset="utf-8, b"; q=1.000',
]

export const LIST: readonly string[] = [
  'a, b, c',
  'a, "b, c", d',
  '"\\"", a',
  ',,a,, ,b,',
  '"unclosed, a',
  'a; b="c;d"; e',
]

export const HEAD: readonly string[] = [
  'Content-Type: text/html\nContent-Length: 5\nETag: "a"\nSet-Cookie: a=b\nSet-Cookie: c=d',
  'Connection: close, X-Hop\nX-Hop: 1\nX-Kept: 2\nTransfer-Encoding: chunked',
  'connection: cache-control\nCache-Control: max-age=60\nProxy-Authenticate: Basic',
  ':status: 200\nKeep-Alive: timeout=5\nTE: trailers',
]

export const AUTHORITY: readonly string[] = [
  'example.com',
  'EXAMPLE.com:443',
  'example.com:80',
  '127.0.0.1:3000',
  '[::1]:8080',
  'user@example.com',
  'example.com:99999',
  '',
]

export const TARGET: readonly string[] = [
  '/',
  '/posts?page=2&utm_source=x#top',
  '//evil.example/a',
  'http://example.com/a?b',
  'HTTP://EXAMPLE.COM:80?a=b',
  '*',
  '/a%2fb/../c;d=e?f=g?h&&i=j=k',
]

export const REFERENCE: readonly string[] = [
  '/posts/1',
  '../a?b=c#d',
  'http://example.com/b',
  '//other.example/',
  'https://user:secret@example.com/',
  'mailto:a@b',
  'http://[',
]

export const TAGS: readonly string[] = ['post:1, user:2', 'a,b,,c', '"a, b", c']
export const KEYS: readonly string[] = ['post:1 user:2', '  a \t b  ', 'a']
export const AGE: readonly string[] = ['0', '10', '7200, 0', '5;x', '99999999999', '-1']
export const CODING: readonly string[] = ['gzip', 'dcb', 'gzip, dcz', 'identity']
export const MEDIA_TYPE: readonly string[] = ['text/html; charset=utf-8', 'text/event-stream', 'application/json']
export const PRAGMA: readonly string[] = ['no-cache', 'x, No-Cache', 'foo="no-cache"']
export const KEY: readonly string[] = ['http://example.com/a?b', 'say "hi" \\', 'GET /posts', 'gr\u00fcn']
export const DETAIL: readonly string[] = ['stale-if-error', 'two words', 'swr', '*', '1a']
export const STATUS: readonly string[] = ['200', '204', '206', '301', '302', '304', '404', '500', '599', '99', '2.5']
export const METHOD: readonly string[] = ['GET', 'HEAD', 'POST', 'PATCH', 'QUERY', 'get', 'M-SEARCH']

export const NO_VARY_SEARCH: readonly string[] = [
  'key-order',
  'params=("utm_source" "b+c%20d")',
  'except=("id"), key-order',
  'params=(), except=()',
  'key-order=?0',
  'params=(a)',
  'except=()',
]

export const QUERY: readonly string[] = [
  'a=1&b=2',
  'b=2&a=1&b=1&utm_source=x',
  '%61=%78&c+d=%20&e',
  'id[x]=1&id%5by%5d=2&%e4%bd',
  '&&a&=b&?',
  '',
]

export const GROUPS: readonly string[] = ['"scripts"', '"a", "b;c";p=1, "a"', 'token', '"a", (b c)', '"\\"\\\\"']
export const BOOLEAN: readonly string[] = ['?1', '?1;a=b', '?0', '1', '"?1"']
export const LENGTH_FIELD: readonly string[] = ['5', '0', '5, 5', '05', '-5']
export const LANGUAGE: readonly string[] = ['de', 'en, de', '']

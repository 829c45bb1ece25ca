/** Which fields of a whole answer its part, or the word that nothing has changed, does not have. Lower-case. */

/** Fields that describe a content, of which a 304 has none (RFC 9110 s. 15.4.5). */
export const NOT_IN_304: ReadonlySet<string> = new Set([
  'content-type',
  'content-encoding',
  'content-language',
  'content-length',
  'content-range',
  'content-digest',
  'content-md5',
  'trailer',
  'transfer-encoding',
])

/** RNG-17: digests of the whole do not describe a part; its length, its range and its framing are its own. */
export const NOT_IN_206: ReadonlySet<string> = new Set([
  'content-length',
  'content-digest',
  'content-md5',
  'content-range',
  'trailer',
  'transfer-encoding',
])

/** What describes the representation, but for the fields that every 206 has (RFC 9110 s. 15.3.7). */
export const NOT_AFTER_IF_RANGE: ReadonlySet<string> = new Set([
  ...NOT_IN_206,
  'content-type',
  'content-encoding',
  'content-language',
  'last-modified',
  'repr-digest',
])

import type { Got, Sent } from './history.ts'
import { dateOf, type Lines, linesOf, membersOf, sameWeakly, tagOf, valueOf, without } from './parse.ts'

/** A whole response that an answer may be made from: the handler's own, or one that was kept. */
export interface Whole {
  readonly status: number
  readonly fields: Lines
  readonly body: string
  /** Names of fields (lower-case) that may be left out. */
  readonly optional: readonly string[]
  /** The ages it may have (seconds); undefined: the handler's own `Age` or none. */
  readonly age: readonly [from: number, to: number] | undefined
  /** Without validation or fill an `Age` must be there (REU-2). */
  readonly ageNeeded: boolean
  /** It stood in the cache: a condition that holds has to be answered with 304 (CON-1). */
  readonly kept: boolean
  /** When the response was received (epoch ms). */
  readonly receivedAt: number
}

/** One answer that would be right. */
interface Shape {
  readonly what: string
  readonly status: number
  readonly required: Lines
  readonly allowed: Lines
  readonly forbidden: readonly string[]
  /** What is wrong with the body and the fields about it, if anything. */
  readonly body: (got: Got) => string | undefined
}

/** Fields of framing and connection, and those with which the cache speaks of itself. */
const NOT_COMPARED = [
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'cache-status',
  'x-cache',
  'age',
]

/** Our own targeted field goes no further than us (TGT-12). */
const OWN_TARGET = 'cachewell-cache-control'

/** Fields that a 304 must have where the 200 has them (CON-13). */
const IN_304 = ['cache-control', 'content-location', 'date', 'etag', 'expires', 'vary']

/** Fields that a 206 to `If-Range` must have (RNG-15). */
const IN_PARTS = IN_304

/** Fields of the representation, out of place in a 304 (CON-14). */
const NOT_IN_304 = ['content-type', 'content-encoding', 'content-language']

/** Why this answer is none that this client may get from this response; undefined when it is right. */
export function wrongWith(got: Got, whole: Whole, sent: Sent): string | undefined {
  const problems: string[] = []
  for (const shape of shapesOf(whole, sent)) {
    const problem = differs(got, shape, whole)
    if (problem === undefined) return undefined
    problems.push(`as ${shape.what}: ${problem}`)
  }
  return problems.join('; ')
}

function shapesOf(whole: Whole, sent: Sent): Shape[] {
  const condition = conditionOf(whole, sent)
  const shapes: Shape[] = condition === 'no' ? [] : [notModified(whole)]
  if (condition === 'holds' && whole.kept) return shapes
  return [...shapes, full(whole, sent), ...ranges(whole, sent)]
}

function full({ status, fields, body, optional }: Whole, { method }: Sent): Shape {
  const empty = method === 'HEAD' || status === 204 || status === 304
  return {
    what: `the whole ${status}`,
    status,
    required: without(fields, optional),
    allowed: [...fields, ['Accept-Ranges', 'bytes']],
    forbidden: [],
    body: (got) => {
      if (got.body !== (empty ? '' : body)) return `the body is ${quote(got.body)}`
      const length = valueOf(got.fields, 'content-length')
      // REU-8
      return length === undefined || status === 304 || Number(length) === body.length
        ? undefined
        : `Content-Length: ${length}`
    },
  }
}

/** CON-13, CON-14, CON-15 */
function notModified({ fields, optional }: Whole): Shape {
  return {
    what: 'a 304 to the client',
    status: 304,
    required: without(fields, optional).filter(([name]) => IN_304.includes(name.toLowerCase())),
    allowed: fields,
    forbidden: NOT_IN_304,
    body: (got) =>
      got.body === '' && linesOf(got.fields, 'transfer-encoding').length === 0 ? undefined : 'it has a body',
  }
}

/** Does the client's own condition say that it has this already (RFC 9110 s. 13.2.2)? `may`: an answer without it is right, too. */
function conditionOf({ status, fields, receivedAt }: Whole, { method, fields: asked }: Sent): 'holds' | 'may' | 'no' {
  // CON-2, CON-9
  if (status < 200 || status > 299 || (method !== 'GET' && method !== 'HEAD')) return 'no'
  const holds = status === 200 ? 'holds' : 'may'
  const tags = valueOf(asked, 'if-none-match')
  // CON-4: beside If-None-Match the other one counts for nothing.
  if (tags !== undefined) return namesTag(tags, tagOf(fields)) ? holds : 'no'
  const since = dateOf(valueOf(asked, 'if-modified-since'))
  if (since === undefined) return 'no'
  const modified = dateOf(valueOf(fields, 'last-modified'))
  if (modified !== undefined) return modified <= since ? holds : 'no'
  // CON-11
  const known = dateOf(valueOf(fields, 'date')) ?? Math.floor(receivedAt / 1_000) * 1_000
  return known <= since ? 'may' : 'no'
}

/** Does an `If-None-Match` name this tag (CON-5 to CON-8)? */
export function namesTag(list: string, tag: string | undefined): boolean {
  if (list === '*') return true
  const members = membersOf(list)
  const valid = members.every((member) => /^(W\/)?"[\x21\x23-\x7e]*"$/.test(member))
  return valid && tag !== undefined && members.some((member) => sameWeakly(member, tag))
}

type Span = readonly [first: number, last: number]

/** What a range is good for: spans, none that can be had, or nothing at all (RNG-3 to RNG-6). */
function spansOf(range: string, length: number): Span[] | 'unsatisfiable' | undefined {
  const list = /^bytes=(.*)$/i.exec(range)?.[1]
  if (list === undefined) return undefined
  const spans: Span[] = []
  for (const member of list.split(',').map((text) => text.trim())) {
    if (member === '') continue
    const [, first, last, suffix] = /^(?:(\d+)-(\d*)|-(\d+))$/.exec(member) ?? []
    if (suffix !== undefined) {
      if (Number(suffix) > 0 && length > 0) spans.push([Math.max(0, length - Number(suffix)), length - 1])
    } else if (first === undefined || (last !== '' && Number(last) < Number(first))) return undefined
    else if (Number(first) < length)
      spans.push([Number(first), last === '' ? length - 1 : Math.min(Number(last), length - 1)])
  }
  return spans.length === 0 ? 'unsatisfiable' : spans
}

/** What may be cut out of a 200; the whole is always right, too (RFC 9110 s. 14.2). */
function ranges(whole: Whole, { method, fields: asked }: Sent): Shape[] {
  const { status, fields, body, optional } = whole
  const range = valueOf(asked, 'range')
  // RNG-1, RNG-2
  if (range === undefined || method !== 'GET' || status !== 200) return []
  const condition = valueOf(asked, 'if-range')
  if (condition !== undefined && !sameForRange(condition, whole)) return []
  const spans = spansOf(range, body.length)
  if (spans === undefined) return []
  if (spans === 'unsatisfiable') {
    return [
      {
        what: 'a 416',
        status: 416,
        required: [],
        allowed: [...fields, ['Content-Range', `bytes */${body.length}`]],
        // RNG-18
        forbidden: ['cache-control', 'expires', 'etag', 'last-modified'],
        body: (got) =>
          valueOf(got.fields, 'content-range') === `bytes */${body.length}` ? undefined : 'its Content-Range is wrong',
      },
    ]
  }
  const base = {
    status: 206,
    required: without(fields, optional).filter(
      ([name]) => condition === undefined || IN_PARTS.includes(name.toLowerCase()),
    ),
    forbidden: ['content-digest', 'content-md5'],
  }
  const single = spans.map(([first, last]): Shape => {
    const told = `bytes ${first}-${last}/${body.length}`
    return {
      ...base,
      what: `the part ${first}-${last}`,
      allowed: [...fields, ['Content-Range', told]],
      body: (got) => {
        if (valueOf(got.fields, 'content-range') !== told) return 'its Content-Range is wrong'
        const length = valueOf(got.fields, 'content-length')
        if (length !== undefined && Number(length) !== last - first + 1) return `Content-Length: ${length}`
        return got.body === body.slice(first, last + 1) ? undefined : `the body is ${quote(got.body)}`
      },
    }
  })
  // RNG-12: one range is never multipart; of several, one may be all that is left.
  const [only] = spans
  if (spans.length === 1 && only !== undefined && membersOf(range).length === 1) return single
  const multipart: Shape = {
    ...base,
    what: 'parts',
    required: without(base.required, ['content-type']),
    allowed: [...without(fields, ['content-type']), ['Content-Type', '*']],
    body: (got) => wrongParts(got, body, spans),
  }
  return spans.length === 1 ? [...single, multipart] : [multipart]
}

/** RNG-7 to RNG-9 */
function sameForRange(condition: string, { fields, receivedAt }: Whole): boolean {
  if (condition.includes('"')) return condition === tagOf(fields) && !condition.startsWith('W/')
  const modified = dateOf(condition)
  const date = dateOf(valueOf(fields, 'date')) ?? receivedAt
  return modified !== undefined && modified === dateOf(valueOf(fields, 'last-modified')) && date >= modified + 1_000
}

/** RNG-11 */
function wrongParts(got: Got, body: string, spans: readonly Span[]): string | undefined {
  const boundary = /^multipart\/byteranges; ?boundary=([\w'+,./:=?-]+)$/.exec(
    valueOf(got.fields, 'content-type') ?? '',
  )?.[1]
  if (boundary === undefined) return 'its Content-Type names no parts'
  if (valueOf(got.fields, 'content-range') !== undefined) return 'parts have no Content-Range at the top'
  const covered = new Set<number>()
  const pieces = `\r\n${got.body}`.split(`\r\n--${boundary}`)
  for (const piece of pieces.slice(1, -1)) {
    const [, head = '', content = ''] = /^\r\n([^]*?\r\n)\r\n([^]*)$/.exec(piece) ?? []
    const [, first, last, length] = /^content-range: bytes (\d+)-(\d+)\/(\d+)\r\n/im.exec(head) ?? []
    if (Number(length) !== body.length) return `a part has the head ${quote(head)}`
    if (content !== body.slice(Number(first), Number(last) + 1)) return `a part is ${quote(content)}`
    for (let position = Number(first); position <= Number(last); position++) covered.add(position)
  }
  for (const [first, last] of spans) {
    for (let position = first; position <= last; position++)
      if (!covered.has(position)) return `byte ${position} is missing`
  }
  return pieces.at(-1)?.startsWith('--') === true ? undefined : 'it does not end'
}

/** The cache may say at the end of `Vary` that it codes what it keeps; no handler of these stories negotiates codings. */
function withoutNegotiation(fields: Lines): Lines {
  return fields
    .map(([name, value]): [string, string] =>
      name.toLowerCase() === 'vary' ? [name, value.replace(/(?:^|, )Accept-Encoding$/, '')] : [name, value],
    )
    .filter(([name, value]) => name.toLowerCase() !== 'vary' || value !== '')
}

function differs(got: Got, shape: Shape, whole: Whole): string | undefined {
  if (got.status !== shape.status) return `the status is ${got.status}`
  const seen = withoutNegotiation(without(got.fields, NOT_COMPARED))
  const required = without(shape.required, [...NOT_COMPARED, OWN_TARGET])
  const names = new Set([...seen, ...required].map(([name]) => name.toLowerCase()))
  for (const name of names) {
    const values = linesOf(seen, name)
    if (values.length === 0) return `${name} is missing`
    if (shape.forbidden.includes(name) || name === OWN_TARGET) return `${name} is there`
    // Node dates what has no date.
    if (name === 'date' && linesOf(whole.fields, name).length === 0) continue
    const expected = linesOf(shape.allowed, name)
    if (expected.length === 0) return `${name}: ${values.join(' | ')} comes from nowhere`
    if (expected[0] !== '*' && values.join('\n') !== expected.join('\n')) {
      return `${name}: ${values.join(' | ')} instead of ${expected.join(' | ')}`
    }
  }
  return wrongAge(got, shape, whole) ?? shape.body(got)
}

function wrongAge(got: Got, { status }: Shape, { age, ageNeeded, fields }: Whole): string | undefined {
  const given = valueOf(got.fields, 'age')
  if (age === undefined) {
    // AGE-10: what was made for this request has the age that the handler gave it; what we made of it may say how old it is.
    const own = valueOf(fields, 'age')
    return given === own || status === 304 || status === 206 || status === 416
      ? undefined
      : `Age: ${given} instead of ${own}`
  }
  if (given === undefined) return ageNeeded && status !== 416 ? 'Age is missing' : undefined
  const [from, to] = age
  const right = /^\d+$/.test(given) && Number(given) >= Math.floor(from) - 1 && Number(given) <= Math.floor(to) + 1
  return right ? undefined : `Age: ${given} instead of ${Math.floor(from)} to ${Math.floor(to)}`
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text)
}

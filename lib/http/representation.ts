import { codedTag, heldTag } from './coded-tag.ts'
import { isNotModified } from './conditional.ts'
import type { Coding } from './content-coding.ts'
import { type RequestHeaders, splitList } from './fields.ts'
import type { Representation, Representations, StoredResponse } from './stored-response.ts'

/** The forms of a stored response whose coding is negotiated (RFC 9110 s. 12.5.3): heads and tags of their own, one content. */

/** The first of these codings that is at hand, else the content as it is. */
export function representationIn(value: StoredResponse, codings: readonly Coding[]): Representation {
  value.representations ??= {}
  const made = value.representations
  for (const coding of codings) {
    const form = made[coding] ?? codedForm(value, made, coding)
    if (form !== undefined) return form
  }
  return identityOf(value)
}

/** The content as it is, with a word that it depends on what the client takes. */
export function identityOf(value: StoredResponse): Representation {
  value.representations ??= {}
  value.representations.identity ??= {
    body: value.body,
    head: varyingBy(value.head, 'Accept-Encoding'),
    notModifiedHead: varyingBy(value.notModifiedHead, 'Accept-Encoding'),
    etag: value.etag,
    lastHead: undefined,
  }
  return value.representations.identity
}

/** The head of a 304, where the client holds the content in a coding that it takes; undefined: it does not. */
export function heldHead(
  value: StoredResponse,
  { etag, notModifiedHead }: Representation,
  headers: RequestHeaders,
  now: number,
): readonly string[] | undefined {
  if (isNotModified(headers, { etag, modifiedAt: value.modifiedAt }, now)) return notModifiedHead
  const held = heldTag(headers, value.etag)
  return held === undefined ? undefined : withTag(identityOf(value).notModifiedHead, held)
}

function codedForm(value: StoredResponse, made: Representations, coding: Coding): Representation | undefined {
  const body = value.coded.find((one) => one.coding === coding)?.body
  if (body === undefined) return undefined
  const identity = identityOf(value)
  const etag = codedTag(value.etag, coding)
  const form: Representation = {
    body,
    head: codedHead(withTag(identity.head, etag), coding, body.length),
    notModifiedHead: withTag(identity.notModifiedHead, etag),
    etag,
    lastHead: undefined,
  }
  made[coding] = form
  return form
}

/** Ranges are cut from the content as it is, so that this form has none. */
function codedHead(lines: readonly string[], coding: Coding, length: number): readonly string[] {
  const head: string[] = []
  for (let index = 0; index < lines.length; index += 2) {
    const [name, value] = [lines[index] as string, lines[index + 1] as string]
    const lower = name.toLowerCase()
    const isOfWhole = lower === 'content-length' || (lower === 'accept-ranges' && value.toLowerCase() !== 'none')
    if (!isOfWhole) head.push(name, value)
  }
  head.push('Content-Encoding', coding, 'Content-Length', String(length))
  return head
}

function withTag(lines: readonly string[], etag: string | undefined): readonly string[] {
  return etag === undefined ? lines : replaced(lines, 'etag', () => etag)
}

/** The same head with these names at the end of its `Vary`. */
function varyingBy(lines: readonly string[], names: string): readonly string[] {
  const hasVary = lines.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'vary')
  return hasVary ? replaced(lines, 'vary', (value) => union(value, names)) : [...lines, 'Vary', names]
}

/** The same head where another `Vary` stands on the response already, whose place it will take. */
export function besideVary(lines: readonly string[], outer: string): string[] {
  return replaced(lines, 'vary', (value) => union(outer, value))
}

function union(one: string, other: string): string {
  const known = splitList(one.toLowerCase())
  return [...splitList(one), ...splitList(other).filter((name) => !known.includes(name.toLowerCase()))].join(', ')
}

function replaced(lines: readonly string[], wanted: string, change: (value: string) => string): string[] {
  const head = [...lines]
  for (let index = 0; index < head.length; index += 2) {
    if (head[index]?.toLowerCase() === wanted) head[index + 1] = change(head[index + 1] as string)
  }
  return head
}

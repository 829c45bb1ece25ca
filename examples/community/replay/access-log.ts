import { createReadStream } from 'node:fs'

/** One request of an access log. */
export interface LogLine {
  /** Epoch ms; logs count seconds. */
  readonly at: number
  readonly method: string
  /** Path and query, fit to be sent. */
  readonly target: string
  readonly status: number
  readonly size: number
}

/** A line that is longer is not kept in memory and counts as one that does not parse. */
const MAX_LINE = 64 * 1024

const MONTHS: readonly string[] = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/**
 * Read a line in common or combined log format, or undefined where it is neither, or names a request that cannot be sent
 * again (`*`, CONNECT, another scheme, an informational status).
 */
export function parseLogLine(line: string): LogLine | undefined {
  const timeStart = line.indexOf(' [')
  const timeEnd = line.indexOf('] "', timeStart)
  if (timeStart <= 0 || timeEnd === -1) return undefined
  const requestEnd = closingQuote(line, timeEnd + 3)
  if (requestEnd === -1) return undefined
  const at = parseTime(line.slice(timeStart + 2, timeEnd))
  const request = parseRequest(line.slice(timeEnd + 3, requestEnd))
  const rest = /^ ([2-5]\d\d) (\d{1,15}|-)(?: |$)/.exec(line.slice(requestEnd + 1).trimEnd())
  if (at === undefined || request === undefined || rest === null) return undefined
  return { at, ...request, status: Number(rest[1]), size: rest[2] === '-' ? 0 : Number(rest[2]) }
}

/**
 * The lines of a file and how many bytes of it have been read, one after the other; memory is bounded whatever the file
 * holds.
 * @throws when the file cannot be read
 */
export async function* readLines(file: string): AsyncGenerator<{ readonly text: string; readonly bytesRead: number }> {
  let held = ''
  let tooLong = false
  let bytesRead = 0
  for await (const chunk of createReadStream(file, { encoding: 'latin1' })) {
    const pieces = (chunk as string).split('\n')
    bytesRead += (chunk as string).length
    for (let index = 0; index < pieces.length; index++) {
      if (held.length + (pieces[index] as string).length > MAX_LINE) tooLong = true
      held = tooLong ? '' : held + pieces[index]
      if (index === pieces.length - 1) break
      yield { text: tooLong ? TOO_LONG : held, bytesRead }
      held = ''
      tooLong = false
    }
  }
  if (tooLong || held !== '') yield { text: tooLong ? TOO_LONG : held, bytesRead }
}

/** Stands for a line that was not kept; it does not parse. */
const TOO_LONG = '(too long)'

/** The quote that ends the request line; servers write quotes inside it as `\"`. */
function closingQuote(line: string, from: number): number {
  for (let index = from; index < line.length; index++) {
    if (line[index] === '\\') index += 1
    else if (line[index] === '"') return index
  }
  return -1
}

/** `17/May/2015:10:05:03 +0000` */
function parseTime(text: string): number | undefined {
  const match = /^(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(text)
  if (match === null) return undefined
  const [day, year, hour, minute, second] = [match[1], match[3], match[4], match[5], match[6]].map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const month = MONTHS.indexOf(match[2] as string)
  if (month === -1 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined
  const offsetMinutes = Number(match[8]) * 60 + Number(match[9])
  return Date.UTC(year, month, day, hour, minute, second) - (match[7] === '-' ? -1 : 1) * offsetMinutes * 60_000
}

function parseRequest(text: string): { readonly method: string; readonly target: string } | undefined {
  const match = /^([A-Z]{1,32}) (\/.*)$/.exec(text)
  if (match === null || match[1] === 'CONNECT') return undefined
  // HTTP/0.9 requests have no version.
  const target = (match[2] as string).replace(/ HTTP\/\d(?:\.\d)?$/, '')
  return { method: match[1] as string, target: target.replace(/[^!-~]|#/g, (character) => encodeByte(character)) }
}

/** Bytes that may not stand in a request line; the file was read one byte to a character. */
function encodeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

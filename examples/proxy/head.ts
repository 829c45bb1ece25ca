import type { ServerResponse } from 'node:http'
import type { FieldLines } from './fields.ts'

/** The head of a response, to be put on one of ours. */
export interface Head {
  readonly status: number
  readonly reason: string
  readonly lines: FieldLines
}

/** The ways in which handlers put a head on a response; all mean the same. */
export const STYLES = ['setHeader', 'appendHeader', 'writeHead-object', 'writeHead-array'] as const

/** One of `STYLES`. */
export type Style = (typeof STYLES)[number]

/** Put a head on a response; node throws for what cannot be sent. */
export function putHead(res: ServerResponse, { status, reason, lines }: Head, style: Style): void {
  switch (style) {
    case 'setHeader':
      setStatus(res, status, reason)
      for (const [name, values] of grouped(lines)) res.setHeader(name, values)
      break
    case 'appendHeader':
      setStatus(res, status, reason)
      for (const [name, value] of lines) res.appendHeader(name, value)
      break
    case 'writeHead-object':
      res.writeHead(status, reason, Object.fromEntries(grouped(lines)))
      break
    case 'writeHead-array':
      res.writeHead(status, reason, lines.flat())
      break
  }
}

function setStatus(res: ServerResponse, status: number, reason: string): void {
  res.statusCode = status
  res.statusMessage = reason
}

/** One entry for each name, in the case of its first line; the lines of a repeated one together. */
function grouped(lines: FieldLines): readonly (readonly [name: string, values: string | string[]])[] {
  const groups = new Map<string, { readonly name: string; readonly values: string[] }>()
  for (const [name, value] of lines) {
    const known = groups.get(name.toLowerCase())
    if (known === undefined) groups.set(name.toLowerCase(), { name, values: [value] })
    else known.values.push(value)
  }
  return Array.from(groups.values(), ({ name, values }) => [name, values.length === 1 ? (values[0] as string) : values])
}

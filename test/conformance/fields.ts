import type { Fields, FieldValue } from './behaviour.ts'
import { asctimeDate, imfDate, rfc850Date } from './dates.ts'

/** What the placeholders of a behaviour's fields stand for. */
export interface Place {
  readonly path: string
  readonly host: string
}

/** Field lines as they go over the wire, dates counted from `now` (epoch ms). */
export function linesOf(fields: Fields, place: Place, now: number): readonly (readonly [string, string])[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    valuesOf(value).map((one): [string, string] => [name, textOf(one, place, now)]),
  )
}

function valuesOf(value: Fields[string] | undefined): readonly FieldValue[] {
  if (value === null || value === undefined) return []
  return Array.isArray(value) ? (value as readonly FieldValue[]) : [value as FieldValue]
}

function textOf(value: FieldValue, { path, host }: Place, now: number): string {
  if (typeof value === 'string') return value.replaceAll('{path}', path).replaceAll('{host}', host)
  const at = now + value.inSeconds * 1_000
  switch (value.form) {
    case 'rfc850':
      return rfc850Date(at)
    case 'asctime':
      return asctimeDate(at)
    default:
      return imfDate(at)
  }
}

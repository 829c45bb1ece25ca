import { parseItem } from 'structured-headers'
import { type Fields, fieldValue } from './fields.ts'

/** Does `Incremental` ask that the content be passed on as it comes (RFC 10036)? Whatever is no true Boolean does not. */
export function isIncremental(fields: Fields): boolean {
  const value = fieldValue(fields, 'incremental')
  if (value === undefined) return false
  try {
    // IFW-1
    return parseItem(value)[0] === true
  } catch {
    return false
  }
}

import type { CacheControl } from './cache-control.ts'
import { type Fields, fieldLines, fieldValue, splitList } from './fields.ts'
import { isIncremental } from './incremental.ts'
import { isStorableWrite, namesTarget } from './methods.ts'
import { ownStatuses, type StoringInput } from './storing-input.ts'
import { parseVary } from './vary.ts'

/** Not to be stored: a short token for `Cache-Status`, and the row of table A (RFC 9111 s. 3) that says so. */
export interface Refusal {
  readonly store: false
  readonly reason: string
  readonly rule: string
}

/** Say no. */
export function refuse(reason: string, rule: string): Refusal {
  return { store: false, reason, rule }
}

/** What request, method and status alone forbid. */
export function refuseExchange(input: StoringInput): Refusal | undefined {
  const { method, status, requestNoStore, annotated, profile, fields, uri } = input
  if (annotated?.ttl === false) return refuse('skip', 'DS-1')
  // DS-4: HEAD has no body that a GET could be served with.
  if (method === 'HEAD') return refuse('method', 'DS-4')
  if (isStorableWrite(method)) {
    // DS-6: only an answer that says it is what a GET of the same URI would bring (RFC 9110 s. 9.3.3).
    if (profile === 'safe' || status > 299 || !namesTarget(fields, uri)) return refuse('method', 'DS-6')
  } else if (method !== 'GET' && method !== 'QUERY') return refuse('method', 'DS-3')
  if (requestNoStore) return refuse('request-no-store', 'DS-7')
  if (!Number.isInteger(status) || status < 200 || status > 599) return refuse('status', 'DS-8')
  if (NEVER_STORED.has(status)) return refuse('status', 'DS-9')
  return status === 206 ? refuse('partial', 'DS-10') : undefined
}

/** What the response forbids, whatever we say. */
export function refuseResponse(input: StoringInput, directives: CacheControl): Refusal | undefined {
  const understood = UNDERSTOOD.has(input.status)
  if (directives.mustUnderstand && !understood) return refuse('must-understand', 'DS-11')
  // CCR-5: a cache that understands the status may ignore no-store.
  if (directives.noStore && !directives.mustUnderstand) return refuse('no-store', 'DS-12')
  if (directives.private) return refuse('private', 'DS-13')
  if (!input.storeSetCookie && fieldValue(input.fields, 'set-cookie') !== undefined && !coversCookies(directives)) {
    return refuse('set-cookie', 'DS-15')
  }
  // STC-8: Express leaves the fields of the success on the error page.
  if (input.profile === 'safe' && input.status >= 400 && !ownStatuses(input)?.includes(input.status)) {
    return refuse('status', 'STC-8')
  }
  // XPR-12
  if (input.status >= 500 && isErrorPage(input.fields)) return refuse('error-page', 'XPR-12')
  return refuseKind(input.fields)
}

/** XPR-12: the page of the final handler of Express and Connect, on which the fields of the success still stand. */
function isErrorPage(fields: Fields): boolean {
  return (
    fieldValue(fields, 'content-security-policy') === "default-src 'none'" &&
    fieldValue(fields, 'x-content-type-options') === 'nosniff'
  )
}

/** DS-17: what only the profile `safe` keeps out. */
export function refuseUnguarded(
  { fields, headers }: StoringInput,
  directives: CacheControl,
  alwaysValidate: boolean,
): Refusal | undefined {
  // A handler in the same process does all its work for a validation: what needs one each time is not worth keeping.
  if (alwaysValidate) return refuse('no-cache', 'DR-11')
  const vary = parseVary(fields)
  const tells = (name: string): boolean => vary === '*' || vary.includes(name)
  // COR-2: an origin that is echoed is right for nobody else.
  const allowed = fieldValue(fields, 'access-control-allow-origin')
  if (allowed !== undefined && allowed !== '*' && headers['origin'] !== undefined && !tells('origin')) {
    return refuse('cors', 'COR-2')
  }
  // CMP-7: a coding that was negotiated, though nothing says so, reaches clients that cannot read it.
  const coding = fieldValue(fields, 'content-encoding')
  const negotiated =
    coding !== undefined && coding.toLowerCase() !== 'identity' && headers['accept-encoding'] !== undefined
  if (negotiated && !tells('accept-encoding') && !directives.noTransform) return refuse('encoding', 'CMP-7')
  return undefined
}

/** DS-9: what depends on parts of the request that no key contains, or must not be stored (RFC 6585, RFC 8470). */
const NEVER_STORED: ReadonlySet<number> = new Set([304, 407, 408, 412, 416, 417, 421, 425, 426, 428, 429, 431, 511])

/** STC-5: what `must-understand` asks for; 206 is missing as long as parts are not combined. */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409,
  410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 511,
])

/** DS-17: what is readable for some clients only, or never ends. */
function refuseKind(fields: Fields): Refusal | undefined {
  const codings = splitList(fieldValue(fields, 'content-encoding') ?? '').map((coding) => coding.toLowerCase())
  if (codings.includes('dcb') || codings.includes('dcz')) {
    const vary = parseVary(fields)
    if (vary === '*' || !vary.includes('available-dictionary')) return refuse('dictionary', 'DS-17')
  }
  if (fieldLines(fields, 'content-type').some((type) => ENDLESS.test(type))) return refuse('event-stream', 'DS-17')
  // IFW-3
  return isIncremental(fields) ? refuse('incremental', 'DS-17') : undefined
}

const ENDLESS = /^[ \t]*(?:text\/event-stream|multipart\/x-mixed-replace)\b/i

/** DS-15: `private="set-cookie"` and `no-cache="set-cookie"` say that the rest may be shared. */
function coversCookies(directives: CacheControl): boolean {
  return directives.privateFields.includes('set-cookie') || directives.noCacheFields.includes('set-cookie')
}

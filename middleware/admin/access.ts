import type { IncomingMessage } from 'node:http'
import type { Events } from '../../lib/events.ts'
import { hostOf } from '../http2.ts'
import { type CacheRequest, callbackRequest } from '../types.ts'

/** Options about who may ask. */
export interface AccessOptions {
  /**
   * Whether this request may see and change everything; a promise is waited for, anything but true refuses.
   * @default outside production local requests only, else nobody
   */
  authorize?(req: CacheRequest): boolean | Promise<boolean>
}

/** Whether a caller is authorised, and if not, what to say. */
export type Access = { readonly granted: true } | { readonly granted: false; readonly message: string }

export interface AccessRule {
  /** The factory that the operator called, for messages. */
  readonly place: string
  readonly authorize: AccessOptions['authorize']
  readonly events: Events
}

const GRANTED: Access = { granted: true }

/** Decide who is authorised. `NODE_ENV` is read now; the decision never throws. */
export function accessOf({ place, authorize, events }: AccessRule): (req: IncomingMessage) => Promise<Access> {
  if (authorize === undefined) {
    const development = process.env['NODE_ENV'] !== 'production'
    const message =
      `${place} has no authorize option, so it answers only local requests, and none in production. ` +
      `Say who may use it: ${place}({ authorize: (req) => boolean }).`
    return async (req) => {
      if (development && isLocal(req)) return GRANTED
      events.warnOnce(`unprotected:${place}`, `A request was refused: ${message}`)
      return { granted: false, message }
    }
  }
  const message = 'You are not authorised to use the administration of this cache.'
  return async (req) => {
    try {
      if ((await authorize(callbackRequest(req))) === true) return GRANTED
    } catch (cause) {
      events.emit('error', { where: 'authorize', cause })
    }
    return { granted: false, message }
  }
}

/** Why a write is refused as the doing of another site's page, or undefined. */
export function foreignWrite(req: IncomingMessage): string | undefined {
  const { headers } = req
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return `Writes are not accepted from pages of other origins (Sec-Fetch-Site: ${String(site)}).`
  }
  const { origin } = headers
  if (origin !== undefined && !isSameHost(origin, hostOf(req.headers))) {
    return 'Writes are not accepted from pages of other origins (Origin is not this host).'
  }
  return undefined
}

const LOOPBACK = /^(?:::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/
const LOCAL_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i

/**
 * Somebody at this machine, not through a proxy on it. The name in `Host` keeps out pages of other sites whose name was made
 * to point here.
 */
function isLocal(req: IncomingMessage): boolean {
  if (!LOOPBACK.test(req.socket.remoteAddress ?? '') || !LOCAL_HOST.test(hostOf(req.headers) ?? '')) return false
  return !Object.keys(req.headers).some(
    (name) => name === 'forwarded' || name === 'via' || name.startsWith('x-forwarded-'),
  )
}

/** Compared as URLs, so that case and a default port make no difference. */
function isSameHost(origin: string, host: string | undefined): boolean {
  if (host === undefined) return false
  try {
    const from = new URL(origin)
    return from.host !== '' && new URL(`${from.protocol}//${host}`).host === from.host
  } catch {
    return false
  }
}

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { CacheControl } from '../lib/http/cache-control.ts'
import type { Credentials } from '../lib/http/storing-input.ts'
import type { FillTarget } from '../lib/responses.ts'
import { DIRECTIVES, heededIn } from './heeded.ts'
import { goOn, keyOf, type Mount, type Pass, targetKey } from './mount.ts'
import type { Client } from './replay.ts'
import { bypassReason, credentialsOf, directivesOf, type Received, requestTarget } from './request.ts'
import type { SearchClasses } from './search-classes.ts'
import type { Settings } from './settings.ts'

/** One request on its way, and what it names here. One object for all of it: a hit makes hardly another one. */
export class Visit implements Received, FillTarget, Client {
  readonly mount: Mount
  readonly settings: Settings
  readonly req: IncomingMessage
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly heeded: number
  readonly socket: Socket
  readonly res: ServerResponse
  /** Nobody else has a hand in writing the head. */
  readonly isPlain: boolean
  /** Undefined where what is behind is known by itself. */
  readonly next: Pass | undefined
  /** When it came (monotonic ms). */
  readonly arrivedAt: number
  primary = ''
  /** The key of this URL alone, where `primary` may be that of a class of URLs. */
  own = ''
  uri = ''
  path = ''
  /** Undefined where no other URL may share what is kept. */
  classes: SearchClasses | undefined = undefined
  credentials: Credentials | undefined = undefined
  directives: CacheControl | undefined = undefined
  /** Of a QUERY: part of its key. */
  content: Buffer | undefined = undefined

  constructor(mount: Mount, req: IncomingMessage, res: ServerResponse, isPlain: boolean, next: Pass | undefined) {
    this.mount = mount
    this.settings = mount.settings
    this.arrivedAt = mount.settings.engine.clock.monotonic()
    this.req = req
    // Read once: on a request of Express each reading takes as long as finding the entry.
    this.method = req.method ?? ''
    this.headers = req.headers
    this.heeded = heededIn(this.headers)
    this.socket = req.socket
    this.res = res
    this.isPlain = isPlain
    this.next = next
  }

  /** Let the handler have it. */
  pass(error?: unknown): void {
    goOn(this.mount, this.req, this.res, this.next, error)
  }
}

/** Name what a request is about, and note what the lookup needs; why the cache keeps out of it, where it does. */
export function nameTarget(visit: Visit): string | undefined {
  const { mount, settings, req } = visit
  const reason = bypassReason(visit, settings)
  if (reason !== undefined) return reason
  const target = requestTarget(visit, settings, mount.app)
  if (target === undefined) return 'target'
  const { uri } = target
  // QRY-12: what a QUERY brings is kept for its URL alone, so that a write to that ends it.
  const classes = visit.method === 'QUERY' ? undefined : settings.searchClasses
  const shared = classes?.classOf(uri)
  visit.uri = uri
  visit.path = target.path
  visit.own = targetKey(mount, req, target)
  visit.primary = shared === undefined ? visit.own : keyOf(mount, req, shared)
  visit.classes = classes
  visit.credentials = credentialsOf(visit, settings)
  if ((visit.heeded & DIRECTIVES) !== 0) visit.directives = directivesOf(visit.headers)
  return undefined
}

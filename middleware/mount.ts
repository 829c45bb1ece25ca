import type { IncomingMessage, ServerResponse } from 'node:http'
import { primaryKey } from '../lib/key.ts'
import type { FillTarget } from '../lib/responses.ts'
import type { Exchange } from './exchange.ts'
import type { KnownTarget } from './known-targets.ts'
import { callForText, type Settings } from './settings.ts'
import { callbackRequest, type ExpressApp } from './types.ts'

/** What is done with a request that the cache does not answer: call the handler. */
export type Pass = (error?: unknown) => void

/** One place in an application where a cache stands. */
export interface Mount {
  readonly settings: Settings
  /** The constant start of the keys of this place. */
  readonly prefixOf: (req: IncomingMessage) => string
  /** What is behind this place where nobody hands on a `next`: one for all requests, so that a hit makes none of its own. */
  readonly behind?: (req: IncomingMessage, res: ServerResponse) => void
  /** The application behind, where it does not say so on the request. */
  readonly app?: ExpressApp
  /** Who the response is for, where a route says so; part of the key. */
  readonly partitionOf?: (req: IncomingMessage) => string
  /** Look at the exchange before the handler runs: a route that caches by itself annotates it. */
  readonly prepare?: (exchange: Exchange) => void
}

/** Let a request go on to its handler, or to whoever handles the error. */
export function goOn(
  { behind }: Mount,
  req: IncomingMessage,
  res: ServerResponse,
  next: Pass | undefined,
  error?: unknown,
): void {
  if (next === undefined) behind?.(req, res)
  else next(error)
}

/** The key that a URI, or a class of them, has in this place. */
export function keyOf(mount: Mount, req: IncomingMessage, uri: string): string {
  return primaryKey(mount.prefixOf(req), uri, extraMaterial(mount, req))
}

/** The key that the target of a request has in this place. */
export function targetKey(mount: Mount, req: IncomingMessage, target: KnownTarget): string {
  const extra = extraMaterial(mount, req)
  const prefix = mount.prefixOf(req)
  return extra === undefined ? target.keyBehind(prefix) : primaryKey(prefix, target.uri, extra)
}

/** What is part of a key beside the URI; undefined where nothing is. */
function extraMaterial({ settings, partitionOf }: Mount, req: IncomingMessage): (string | undefined)[] | undefined {
  const { key } = settings
  if (key === undefined && partitionOf === undefined) return undefined
  const material = key === undefined ? undefined : callForText('key', () => key(callbackRequest(req)))
  return [material, partitionOf?.(req)]
}

/** The same resource for one group of people only. */
export function partitioned(target: FillTarget, partition: string): FillTarget {
  return { ...target, primary: primaryKey(target.primary, '', [partition]) }
}

import type { IncomingMessage } from 'node:http'
import type { Claimed } from '../lib/claim.ts'
import type { ResponseEntry } from '../lib/responses.ts'
import { secondPass, serverOf, without } from './second-pass.ts'
import type { Settings } from './settings.ts'

/** A background refresh: a second pass with nobody listening, of which only the store takes notice. */

/** Fields of the client that a refresh does not carry: its conditions, and who it is (SEC-16). */
const NOT_CARRIED: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'cookie',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'pragma',
  'proxy-authorization',
  'range',
  'x-api-key',
])

export interface Refresh {
  /** The request that found the entry stale. */
  readonly req: IncomingMessage
  readonly settings: Settings
  readonly entry: ResponseEntry
  /** Of a QUERY. */
  readonly content: Buffer | undefined
}

/** Start a refresh of this entry unless one is under way; false when there is no way to run one. */
export function refresh({ req, settings, entry, content }: Refresh): boolean {
  const server = serverOf(req)
  if (server === undefined) return false
  const { value } = entry
  // Its variant is selected by what a refresh does not carry: only the client's own request can renew it.
  if (value.vary.some((name) => NOT_CARRIED.has(name))) return false
  const { engine } = settings
  const { refreshes } = engine.responses
  if (refreshes.isHeld(entry, engine.clock.now())) return true
  const run = (claimed: Claimed<ResponseEntry>): Promise<void> | undefined => {
    if (claimed.kind !== 'won') return undefined
    const { lease } = claimed
    return secondPass({ client: req, server, headers: without(req.headers, NOT_CARRIED), entry, lease, content })
  }
  return engine.refresh(async () => {
    refreshes.begin(entry)
    try {
      const claimed = engine.responses.claimRefresh(entry)
      await (claimed instanceof Promise ? claimed.then(run) : run(claimed))
    } finally {
      // Where it has failed, or is another process's, this entry is still there.
      refreshes.end(entry, engine.clock.now())
    }
  })
}

import { createHash } from 'node:crypto'
import { ACQUIRE, RELEASE, STORE } from './redis-fill-scripts.ts'
import { CHECK, JUDGE } from './redis-judge-scripts.ts'
import { INVALIDATE, SYNC } from './redis-ledger-scripts.ts'
import { METADATA, MOVE, TIME } from './redis-metadata-scripts.ts'
import { END_TURN, TAKE_TURN } from './redis-turn-scripts.ts'

/** The scripts that run inside Redis. All keys of one call are in KEYS and in one slot; everything else is an argument. */
export type ScriptName = 'sync' | 'invalidate' | 'store' | 'check' | 'acquire' | 'release' | 'takeTurn' | 'endTurn'

export interface Script {
  readonly text: string
  readonly sha: string
}

export type Scripts = Readonly<Record<ScriptName, Script>>

/** What takes away must go through when memory is full; Redis 7 lets a script say so. */
export const ALLOW_OOM = '#!lua flags=allow-oom\n'

/** For any server. */
export const PLAIN: Scripts = {
  sync: script(METADATA + TIME + MOVE + SYNC),
  invalidate: script(METADATA + TIME + MOVE + INVALIDATE),
  store: script(METADATA + JUDGE + STORE),
  check: script(METADATA + TIME + JUDGE + CHECK),
  acquire: script(METADATA + TIME + ACQUIRE),
  release: script(METADATA + RELEASE),
  takeTurn: script(METADATA + TIME + TAKE_TURN),
  endTurn: script(METADATA + END_TURN),
}

/** For Redis 7 and later. */
export const FLAGGED: Scripts = {
  ...PLAIN,
  sync: script(ALLOW_OOM + PLAIN.sync.text),
  invalidate: script(ALLOW_OOM + PLAIN.invalidate.text),
}

export function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

import type { Arrival } from './database.ts'
import type { Told } from './messages.ts'

/** What a run has to be judged by. */
export interface Evidence {
  readonly acknowledged: readonly Told[]
  readonly reads: readonly Told[]
  readonly journal: readonly Arrival[]
  readonly rows: readonly Told[]
  /** What is read through the cache at the end. */
  readonly cached: ReadonlyMap<string, string | null>
  readonly left: { readonly current: number; readonly deadLetters: number }
}

/** What was promised and not kept; empty when all is well. */
export function breachesOf(evidence: Evidence): readonly string[] {
  return [
    ...lost(evidence),
    ...disordered(evidence),
    ...doubled(evidence),
    ...wrongRows(evidence),
    ...staleReads(evidence),
    ...remains(evidence),
  ]
}

function* lost({ acknowledged, journal }: Evidence): Iterable<string> {
  const arrived = new Map(journal.map(({ key, version, value }) => [`${key} ${version}`, value]))
  for (const { key, version, value } of acknowledged) {
    if (arrived.get(`${key} ${version}`) !== value) yield `acknowledged and never saved: ${key} ${version} ${value}`
  }
}

function* disordered({ journal }: Evidence): Iterable<string> {
  const last = new Map<string, number>()
  for (const { key, version, value } of journal) {
    if (version < (last.get(key) ?? 0)) yield `saved after a later one: ${key} ${version} ${value}`
    last.set(key, Math.max(version, last.get(key) ?? 0))
  }
}

function* doubled({ journal }: Evidence): Iterable<string> {
  const applied = new Set<string>()
  for (const { key, version, value } of journal.filter((arrival) => arrival.applied)) {
    const name = `${key} ${version}`
    if (applied.has(name)) yield `twice in effect: ${name} ${value}`
    applied.add(name)
  }
}

/** A row has the last acknowledged update of its key, or a later one that nobody has heard the end of. */
function* wrongRows({ acknowledged, rows, cached }: Evidence): Iterable<string> {
  const found = new Map(rows.map((row) => [row.key, row]))
  for (const { key, version } of acknowledged) {
    const row = found.get(key)
    if (row === undefined || row.version < version) yield `older in the database than acknowledged: ${key} ${version}`
  }
  for (const { key, value } of rows) {
    if (cached.get(key) !== value) yield `the cache has ${cached.get(key)}, the database ${value}: ${key}`
  }
}

function* staleReads({ acknowledged, reads, journal }: Evidence): Iterable<string> {
  const versions = new Map([...acknowledged, ...journal].map(({ value, version }) => [value, version]))
  for (const { key, version, value } of reads) {
    if ((versions.get(value) ?? 0) < version) yield `read ${value} after ${version} was acknowledged: ${key}`
  }
}

function* remains({ left }: Evidence): Iterable<string> {
  if (left.current > 0)
    yield `${left.current} updates were still queued at the end, ${left.deadLetters} of them dead letters`
}

import type { Group } from './behaviour.ts'
import { type Tally, tallyOf, type Verdict } from './verdict.ts'

/** Verdicts by the name of the style that gave them. */
export type Verdicts = ReadonlyMap<string, readonly Verdict[]>

/** The table of a run: groups by kinds, as wanted of all. */
export function table(groups: readonly Group[], verdicts: readonly Verdict[]): string {
  const row = (label: string, some: readonly Verdict[]): string =>
    line(label, [tallyOf(some, 'required'), tallyOf(some, 'optimal'), tallyOf(some, 'check')].map(cell))
  return [
    line('', ['required', 'optimal', 'check']),
    ...groups.map((group) => row(group.name, verdictsOn(group, verdicts))),
    row('all', verdicts),
  ].join('\n')
}

function verdictsOn({ behaviours }: Group, verdicts: readonly Verdict[]): readonly Verdict[] {
  const own = new Set(behaviours)
  return verdicts.filter(({ behaviour }) => own.has(behaviour))
}

const LABEL = 26
const CELL = 12

function line(label: string, cells: readonly string[]): string {
  return `${label.padEnd(LABEL)}${cells.map((text) => text.padStart(CELL)).join('')}`
}

function cell({ wanted, total }: Tally): string {
  return total === 0 ? '-' : `${wanted}/${total}`
}

/** Everything that is not as wanted, required behaviours first, and what was seen. */
export function failures(verdicts: readonly Verdict[]): readonly string[] {
  const kinds = ['required', 'optimal', 'check'] as const
  return kinds.flatMap((kind) =>
    verdicts
      .filter(({ behaviour, isWanted }) => behaviour.kind === kind && !isWanted)
      .flatMap(({ behaviour, result, seen }) => {
        const wish = kind === 'check' ? `, wanted: ${behaviour.wanted ?? 'free'}` : ''
        return [
          `${kind} ${behaviour.id}: ${result}${wish}${seen === '' ? '' : ` (${seen})`}`,
          ...(result === 'blocked' ? [] : [`    ${behaviour.says}`]),
        ]
      }),
  )
}

/** Behaviours on which the styles do not agree. */
export function differences(verdicts: Verdicts): readonly string[] {
  const byBehaviour = new Map<string, Map<string, string>>()
  for (const [style, some] of verdicts) {
    for (const { behaviour, result } of some) {
      const results = byBehaviour.get(behaviour.id) ?? new Map<string, string>()
      byBehaviour.set(behaviour.id, results.set(style, result))
    }
  }
  return [...byBehaviour]
    .filter(([, results]) => new Set(results.values()).size > 1)
    .map(([id, results]) => `${id}: ${[...results].map(([style, result]) => `${style} ${result}`).join(', ')}`)
}

/** What the process ends with: 0 where every required behaviour holds and all styles agree. */
export function exitCode(verdicts: Verdicts): 0 | 1 {
  const isMissing = [...verdicts.values()].flat().some((one) => one.behaviour.kind === 'required' && !one.isWanted)
  return isMissing || differences(verdicts).length > 0 ? 1 : 0
}

/** What the suite would check, a line each. */
export function list(groups: readonly Group[]): string {
  return groups
    .flatMap(({ name, behaviours }) => [
      `${name} (${behaviours.length})`,
      ...behaviours.map(({ id, kind, wanted, says }) => {
        const wish = kind === 'check' ? ` (wanted: ${wanted ?? 'free'})` : ''
        return `  ${kind.padEnd(8)} ${id}${wish}: ${says}`
      }),
    ])
    .join('\n')
}

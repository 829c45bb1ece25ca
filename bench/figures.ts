import { cost, quiet, type Rounds, ratio } from './compare.ts'

/** The columns that every comparison has. */
export const COLUMNS: readonly string[] = ['CPU us/request', 'requests/s', 'p50 ms', 'p99 ms']

export function cellsOf(rounds: Rounds, name: string): readonly string[] {
  const { throughput, p50, p99 } = quiet(rounds, name)
  return [cost(rounds, name).toFixed(1), String(Math.round(throughput)), p50.toFixed(2), p99.toFixed(1)]
}

/** The ratio to a reference, or a dash for the reference itself. */
export function ratioCell(rounds: Rounds, name: string, reference: string | undefined): string {
  return reference === undefined ? '-' : ratio(rounds, name, reference).toFixed(2)
}

import { cost, quiet, type Rounds, ratio } from './compare.ts'

/** The columns that every comparison has. */
export const COLUMNS: readonly string[] = ['CPU us/request', 'requests/s', 'p50 ms', 'p99 ms']

/** How these columns come about, for the note of a table. */
export const HOW: string =
  'CPU is user and system time of all processes of the server, the median of the rounds; throughput and latency are of the half ' +
  'of the slices in which it ran the most; a ratio is the median over the rounds of capacity (1 / CPU) to that of the reference ' +
  'in the same round.'

export function cellsOf(rounds: Rounds, name: string): readonly string[] {
  const { throughput, p50, p99 } = quiet(rounds, name)
  return [cost(rounds, name).toFixed(1), String(Math.round(throughput)), p50.toFixed(2), p99.toFixed(1)]
}

/** The ratio to a reference, or a dash for the reference itself. */
export function ratioCell(rounds: Rounds, name: string, reference: string | undefined): string {
  return reference === undefined ? '-' : ratio(rounds, name, reference).toFixed(2)
}

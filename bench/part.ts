import type { Section } from './section.ts'

/** What a part is told. */
export interface Context {
  /** Interleaved rounds where a bar is decided: `BENCH_ROUNDS`, else 15. */
  readonly rounds: number
  /** Only to see that it runs: one round, a few entries, a second or two. Figures mean nothing then. */
  readonly short: boolean
}

/** A module in `parts/`, named after what it measures. */
export interface Part {
  run(context: Context): Promise<Section>
}

const ROUNDS = 15

/** What the arguments and the environment ask for. */
export function contextOf(args: readonly string[], env: NodeJS.ProcessEnv): Context {
  const short = args.includes('--short')
  const rounds = Number(env['BENCH_ROUNDS'] ?? (short ? 1 : ROUNDS))
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('BENCH_ROUNDS is a whole number of rounds, at least 1')
  return { short, rounds }
}

/** What was measured, and what it may be at most. */
export interface Figure {
  readonly what: string
  readonly value: number
  readonly unit: 'ms' | '' | '%'
  /** Undefined for a figure that is only told. */
  readonly atMost?: number
  readonly atLeast?: number
}

/** The value below which the share `q` of the values lies; NaN of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

/** p50, p99, p99.9 and max of times in ms, with the bars that there are. */
export function distribution(
  what: string,
  values: readonly number[],
  bars: Readonly<Partial<Record<'p99' | 'p99.9' | 'max', number>>> = {},
): readonly Figure[] {
  const at = { p50: 0.5, p99: 0.99, 'p99.9': 0.999, max: 1 } as const
  return Object.entries(at).map(([name, q]) => {
    const bar = bars[name as keyof typeof bars]
    const value = quantile(values, q)
    return { what: `${what}, ${name}`, value, unit: 'ms', ...(bar === undefined ? {} : { atMost: bar }) }
  })
}

/** Whether it is within its bars; what could not be measured is not. */
export function holds({ value, atMost, atLeast }: Figure): boolean {
  if (atMost === undefined && atLeast === undefined) return true
  return value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? Number.NEGATIVE_INFINITY)
}

/** With `--counts` a time that misses its bar is told, and only counts decide: for machines on which others work, too. */
const ONLY_COUNTS = process.argv.includes('--counts')

/** Print a table; true when every bar was kept that decides. */
export function print(title: string, figures: readonly Figure[]): boolean {
  console.log(`\n${title}`)
  const width = Math.max(...figures.map(({ what }) => what.length))
  for (const figure of figures) {
    const bar = barOf(figure)
    const verdict = bar === '' || holds(figure) ? '' : '  MISSED'
    console.log(`  ${figure.what.padEnd(width)}  ${shown(figure).padStart(10)}${bar}${verdict}`)
  }
  return figures.every((figure) => holds(figure) || (ONLY_COUNTS && figure.unit === 'ms'))
}

function shown({ value, unit }: Figure): string {
  const number = Number.isInteger(value) || !Number.isFinite(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1)
  return unit === '' ? number : `${number} ${unit}`
}

function barOf({ atMost, atLeast, unit }: Figure): string {
  if (atMost !== undefined) return `  (<= ${shown({ what: '', value: atMost, unit })})`
  return atLeast === undefined ? '' : `  (>= ${shown({ what: '', value: atLeast, unit })})`
}

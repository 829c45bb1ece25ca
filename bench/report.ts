import type { Context, Part } from './part.ts'
import { isMet, type Section, type Verdict } from './section.ts'

export interface Report {
  readonly markdown: string
  /** What missed its bar, and the parts that failed. */
  readonly failures: readonly string[]
  readonly exitCode: 0 | 1
}

export interface NamedPart {
  readonly name: string
  readonly load: () => Promise<Part>
}

/** Run the parts one after the other; one that fails does not keep the others from running. */
export async function report(
  parts: readonly NamedPart[],
  context: Context,
  print: (text: string) => void,
): Promise<Report> {
  const written: string[] = []
  const failures: string[] = []
  for (const { name, load } of parts) {
    const start = performance.now()
    try {
      const section = await (await load()).run(context)
      const verdicts = context.short ? [] : section.verdicts
      written.push(sectionAsMarkdown({ ...section, verdicts }))
      failures.push(...verdicts.filter((verdict) => !isMet(verdict)).map(verdictAsText))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      written.push(`## ${name}\n\nFAILED: ${reason}\n`)
      failures.push(`${name} failed: ${reason}`)
      if (error instanceof Error) print(error.stack ?? reason)
    }
    print(`${written.at(-1)}\n(${name}: ${Math.round((performance.now() - start) / 1_000)} s)\n`)
  }
  return { markdown: written.join('\n'), failures, exitCode: failures.length > 0 ? 1 : 0 }
}

function sectionAsMarkdown({ title, note, columns, rows, verdicts }: Section): string {
  const table = [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  const bars = verdicts.map((verdict) => `- ${verdictAsText(verdict)}`)
  return [`## ${title}`, '', note, '', ...table, ...(bars.length > 0 ? ['', ...bars] : []), ''].join('\n')
}

function verdictAsText(verdict: Verdict): string {
  const { what, figure, bar } = verdict
  const limit = 'atLeast' in bar ? `at least ${bar.atLeast}` : `at most ${bar.atMost}`
  return `${what}: ${readable(figure)} (${limit})${isMet(verdict) ? '' : ' MISSED'}`
}

function readable(figure: number): string {
  return Math.abs(figure) >= 100 ? String(Math.round(figure)) : figure.toPrecision(3)
}

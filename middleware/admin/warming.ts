import type { WarmReport } from '../../lib/warm-run.ts'
import { type Answer, refusal } from './answer.ts'
import { single } from './query.ts'
import type { Route } from './router.ts'

/** Warm what is on schedule in this process, now: sources that the application has named, never what a request names. */
export const WARMING_ROUTE: Route = {
  method: 'POST',
  path: '/warm',
  parameters: ['name'],
  async run({ cache, query }) {
    const asked = single(query, 'name')
    const scheduled = cache.stats().warming.flatMap(({ name, everyMs }) => (everyMs === undefined ? [] : [name]))
    const names = asked === undefined ? scheduled : scheduled.filter((name) => name === asked)
    if (names.length === 0) return refusal(404, unknown(asked, scheduled))
    const reports: NamedReport[] = []
    // One after the other: each has its own bound on what it loads at the same time.
    for (const name of names) reports.push({ name, ...(await cache.warm(name)) })
    return answer(reports)
  },
}

interface NamedReport extends WarmReport {
  readonly name: string
}

function answer(reports: readonly NamedReport[]): Answer {
  const ran = reports.filter(({ skipped }) => skipped === undefined)
  if (ran.length > 0) return { status: 200, body: { reports: reports.map(shown) } }
  if (reports.some(({ skipped }) => skipped === 'away')) return refusal(503, 'Redis cannot be used: nothing is warmed.')
  return refusal(409, 'It is being warmed already, here or by another process.')
}

/** An error is shown by its message. */
function shown({ failed, ...report }: NamedReport): object {
  return { ...report, failed: failed.map(({ error, ...rest }) => ({ ...rest, error: messageOf(error) })) }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function unknown(asked: string | undefined, scheduled: readonly string[]): string {
  if (scheduled.length === 0) return 'Nothing is warmed on schedule here: cache.warm(source, { name, every: true }).'
  return `Nothing is warmed under the name "${asked}"; possible: ${scheduled.join(', ')}.`
}

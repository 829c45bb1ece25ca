import type { Latencies, TrafficReport } from './run.ts'

/** The report of a traffic run as a table for people. */
export function trafficTable(report: TrafficReport): string {
  const { queries } = report
  const seconds = report.elapsedMs / 1_000
  const lines = [
    `${whole(report.requests)} requests to ${whole(report.urls)} URLs in ${seconds.toFixed(1)} s (${whole(
      Math.round(report.requests / Math.max(seconds, 0.001)),
    )}/s), seed ${report.seed}, ${report.concurrency} connections, ${report.redis ? 'memory and Redis' : 'memory only'}`,
    '',
    row('reads', whole(report.reads)),
    row('writes', whole(report.writes)),
    row('hit rate', `${report.hitRate.toFixed(2)} %`),
    '',
    `${''.padEnd(LABEL)}${['count', 'p50', 'p95', 'p99'].map((title) => title.padStart(VALUE)).join('')}`,
    latencyRow('hits', report.hits),
    latencyRow('misses', report.misses),
    `${''.padEnd(LABEL)}${`with ${report.concurrency} requests waiting for one process`.padStart(VALUE * 4)}`,
    '',
    row('database queries', whole(queries.withCache)),
    row('without the cache', `${whole(queries.withoutCache)}`, 'every read at the average cost of its route'),
    row('queries down', `${queries.down.toFixed(2)} %`),
    '',
    row('bodies compared', whole(report.compared), 'with the database, while nothing was written'),
    row('wrong bodies', whole(report.wrong)),
    row('errors', whole(report.errors)),
  ]
  if (report.findings.length > 0)
    lines.push('', 'The first of what went wrong:', ...report.findings.map((text) => `  ${text}`))
  return lines.join('\n')
}

const LABEL = 20
const VALUE = 12

function row(label: string, value: string, note = ''): string {
  return `${label.padEnd(LABEL)}${value.padStart(VALUE)}${note === '' ? '' : `  ${note}`}`
}

function latencyRow(label: string, { count, p50, p95, p99 }: Latencies): string {
  const cells = [whole(count), ...[p50, p95, p99].map((value) => `${value.toFixed(2)} ms`)]
  return `${label.padEnd(LABEL)}${cells.map((cell) => cell.padStart(VALUE)).join('')}`
}

/** What the process ends with: 1 where a body was wrong or a request failed. */
export function exitCode({ wrong, errors }: Pick<TrafficReport, 'wrong' | 'errors'>): 0 | 1 {
  return wrong > 0 || errors > 0 ? 1 : 0
}

/** A count with its thousands apart. */
export function whole(count: number): string {
  return count.toLocaleString('en-US')
}

import { whole } from '../traffic/report.ts'
import type { ReplayReport, ReplayRun } from './run.ts'

/** The report of a replay as tables for people. */
export function replayTable(report: ReplayReport): string {
  const lines = [
    `${report.file}: ${whole(report.lines)} lines, ${whole(report.urls)} URLs, ${whole(report.skipped)} lines skipped`,
    ...report.skippedSamples.map((text) => `  skipped: ${text}`),
    '',
    cells('ttl', report.runs, ({ ttl }) => ttl),
    cells('requests', report.runs, ({ requests }) => whole(requests)),
    cells('hit rate', report.runs, ({ hitRate }) => `${hitRate.toFixed(2)} %`),
    cells('handler calls', report.runs, ({ handlerCalls }) => whole(handlerCalls)),
    cells('handler calls saved', report.runs, ({ handlerCallsSaved }) => whole(handlerCallsSaved)),
    cells('bytes sent', report.runs, ({ bytes }) => size(bytes)),
    cells('bytes saved', report.runs, ({ bytesSaved }) => size(bytesSaved)),
    cells('bytes saved, share', report.runs, ({ bytes, bytesSaved }) => share(bytesSaved, bytes)),
    cells('entries at the end', report.runs, ({ entries }) => whole(entries)),
    cells('cache memory, peak', report.runs, ({ peakMemoryUsed }) => size(peakMemoryUsed)),
    cells('process memory, peak', report.runs, ({ peakRssBytes }) => size(peakRssBytes)),
    cells('failed', report.runs, ({ errors }) => whole(errors)),
  ]
  for (const run of report.runs) lines.push('', ...statusTable(run))
  return lines.join('\n')
}

const LABEL = 22
const VALUE = 14

function statusTable({ ttl, statuses }: ReplayRun): readonly string[] {
  const row = (values: readonly string[]): string => values.map((value) => value.padStart(VALUE)).join('')
  return [
    `ttl ${ttl}, by the status logged`,
    row(['status', 'requests', 'hits', 'hit rate', 'bytes', 'bytes saved']),
    ...statuses.map(({ status, requests, hits, bytes, bytesSaved }) =>
      row([String(status), whole(requests), whole(hits), share(hits, requests), size(bytes), size(bytesSaved)]),
    ),
  ]
}

function cells(label: string, runs: readonly ReplayRun[], value: (run: ReplayRun) => string): string {
  return `${label.padEnd(LABEL)}${runs.map((run) => value(run).padStart(VALUE)).join('')}`
}

function share(part: number, all: number): string {
  return `${(all === 0 ? 0 : (part * 100) / all).toFixed(2)} %`
}

function size(bytes: number): string {
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}

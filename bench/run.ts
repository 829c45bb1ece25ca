import { writeFile } from 'node:fs/promises'
import { describeMachine } from './machine.ts'
import { contextOf } from './part.ts'
import { loadPart, partNames } from './parts.ts'
import { installPeers } from './peers.ts'
import { report } from './report.ts'

/**
 * `npm run bench [-- part...] [-- --short]`: all parts, or those named. Writes `bench/results.md` when all have run in full. Exit
 * code 1 when a bar is missed or a part fails.
 */
const RESULTS = new URL('results.md', import.meta.url)

// So that what was started is ended with it.
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

const args = process.argv.slice(2)
const context = contextOf(args, process.env)
const asked = args.filter((arg) => !arg.startsWith('--'))
const parts = partNames(asked).map((name) => ({ name, load: () => loadPart(name) }))

/** What the columns of all comparisons mean. */
const HOW_TO_READ =
  'CPU is user and system time of all processes of the server per request, the median of the rounds. Throughput and latency are ' +
  'medians of the half of the slices in which the server ran the most. A ratio is the median over the rounds of the capacity ' +
  '(1 / CPU) to that of the reference in the same round; absolute figures are of this machine and this minute. Where a bar is ' +
  'close, the rounds are shared out among three processes of each server, one after the other.'

installPeers()
const header = `# Results of \`npm run bench\`\n\n${describeMachine()}\n\n${HOW_TO_READ}\n`
console.log(header)
const { markdown, failures, exitCode } = await report(parts, context, (text) => console.log(text))
if (asked.length === 0 && !context.short) await writeFile(RESULTS, `${header}\n${markdown}`)
for (const failure of failures) console.log(failure)
process.exitCode = exitCode

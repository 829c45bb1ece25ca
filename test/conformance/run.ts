import { randomBytes } from 'node:crypto'
import { playedFor } from './groups.ts'
import { type CommandLine, HELP, readCommandLine } from './options.ts'
import { type Origin, startOrigin } from './origin.ts'
import { playAll } from './play.ts'
import { startProxy } from './proxy.ts'
import { differences, exitCode, failures, list, table } from './report.ts'
import { type Verdict, verdictsOf } from './verdict.ts'

/** `npm run conformance`: see `HELP`. */
async function main(): Promise<void> {
  const command = readCommandLine(process.argv.slice(2))
  if (command.help || command.list) {
    console.log(command.help ? HELP : list(command.groups))
    return
  }
  // What was started ends with us.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const origin = await startOrigin(command.originPort)
  const verdicts = new Map<string, readonly Verdict[]>()
  try {
    if (command.base !== undefined)
      verdicts.set(command.base.href, await run(command, origin, Number(command.base.port)))
    else for (const style of command.styles) verdicts.set(style, await runStyle(command, origin, style))
  } finally {
    await origin.close()
  }
  const disagreements = differences(verdicts)
  for (const text of disagreements) console.log(`styles differ: ${text}`)
  if (verdicts.size > 1 && disagreements.length === 0) console.log('All styles agree.')
  process.exitCode = exitCode(verdicts)
}

async function runStyle(
  command: CommandLine,
  origin: Origin,
  style: CommandLine['styles'][number],
): Promise<readonly Verdict[]> {
  const proxy = await startProxy(origin.port, style)
  try {
    return await run(command, origin, proxy.port, style)
  } finally {
    await proxy.stop()
  }
}

async function run({ groups }: CommandLine, origin: Origin, port: number, title = ''): Promise<readonly Verdict[]> {
  const began = performance.now()
  const judgements = await playAll(playedFor(groups), { origin, port, token: randomBytes(4).toString('hex') })
  const asked = new Set(groups.flatMap(({ behaviours }) => behaviours))
  const verdicts = verdictsOf(judgements).filter(({ behaviour }) => asked.has(behaviour))
  const seconds = ((performance.now() - began) / 1_000).toFixed(1)
  console.log(`${title} ${verdicts.length} behaviours in ${seconds} s\n\n${table(groups, verdicts)}\n`.trimStart())
  for (const text of failures(verdicts)) console.log(text)
  console.log('')
  return verdicts
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
})

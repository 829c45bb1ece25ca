import { dataDirectory } from '../shared/program.ts'
import { replayTable } from './replay/report.ts'
import { replayLog } from './replay/run.ts'
import { type CommandLine, HELP, readCommandLine } from './traffic/options.ts'
import { progressLine } from './traffic/progress.ts'
import { exitCode, trafficTable } from './traffic/report.ts'
import { runTraffic } from './traffic/run.ts'

/** `npm run traffic`: see `HELP`. */
async function main(): Promise<void> {
  const command = readCommandLine(process.argv.slice(2), process.env)
  if (command.help) {
    console.log(HELP)
    return
  }
  const interruption = new AbortController()
  const interrupt = (): void => interruption.abort(new Error('Interrupted.'))
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  if (command.log === undefined) await generate(command, interruption.signal)
  else await replay(command.log, command, interruption.signal)
}

async function generate(command: CommandLine, signal: AbortSignal): Promise<void> {
  const seeding = progressLine({ label: 'seeding the database', stream: process.stderr })
  const sending = progressLine({ label: 'traffic', stream: process.stderr })
  const report = await runTraffic({
    ...command,
    directory: dataDirectory(),
    onSeed: (done, total) => {
      seeding.update(done, total)
      if (done === total) seeding.end()
    },
    onProgress: sending.update,
    signal,
  })
  sending.end()
  console.log(command.json ? JSON.stringify(report, undefined, 2) : trafficTable(report))
  process.exitCode = exitCode(report)
}

async function replay(file: string, command: CommandLine, signal: AbortSignal): Promise<void> {
  const progress = progressLine({ label: 'replay', stream: process.stderr })
  const report = await replayLog({ file, onProgress: progress.update, signal })
  progress.end()
  console.log(command.json ? JSON.stringify(report, undefined, 2) : replayTable(report))
  if (report.runs.some(({ errors }) => errors > 0)) process.exitCode = 1
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
})

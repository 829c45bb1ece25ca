import { CommandLineError, HELP, readCommandLine } from './command-line.ts'
import { startProxy } from './server.ts'

/** `npm run proxy -- --origin URL`: see `HELP`. */
async function main(): Promise<void> {
  const command = readCommandLine(process.argv.slice(2))
  if (command.help) {
    console.log(HELP)
    return
  }
  const { port } = command
  const running = await startProxy(command).catch((error: unknown) => {
    throw isRefusedPort(error) ? new CommandLineError(refusedPort(port)) : error
  })

  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    running.close().then(() => process.exit(0), fail)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)

  console.log(`http://127.0.0.1:${running.port} -> ${command.origin.origin}`)
}

function isRefusedPort(error: unknown): boolean {
  return ['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function refusedPort(port: number): string {
  return `--port ${port} is in use or not allowed. Choose another, such as --port 0 for a free one.`
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(error instanceof CommandLineError ? 2 : 1)
}

main().catch(fail)

import { runProgram } from '../shared/program.ts'
import { CommandLineError, HELP, readCommandLine } from './command-line.ts'
import { startProxy } from './server.ts'

/** `npm run proxy -- --origin URL`: see `HELP`. */
runProgram(async () => {
  const command = readCommandLine(process.argv.slice(2))
  if (command.help) {
    console.log(HELP)
    return undefined
  }
  const { port } = command
  const running = await startProxy(command).catch((error: unknown) => {
    throw isRefusedPort(error) ? new CommandLineError(refusedPort(port)) : error
  })
  console.log(`http://127.0.0.1:${running.port} -> ${command.origin.origin}`)
  return running
})

function isRefusedPort(error: unknown): boolean {
  return ['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function refusedPort(port: number): string {
  return `--port ${port} is in use or not allowed. Choose another, such as --port 0 for a free one.`
}

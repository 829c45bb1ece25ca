/** Something that runs until it is closed. */
export interface Running {
  readonly close: () => Promise<void>
  /** Of what ends by itself, or cannot go on. */
  readonly ended?: Promise<void>
}

/**
 * Run until SIGINT or SIGTERM, then close; what goes wrong is one line and the error's `exitCode`, else 1. A program that starts
 * nothing ends.
 */
export function runProgram(start: () => Promise<Running | undefined>): void {
  start()
    .then((running) => {
      if (running === undefined) return
      let stopping = false
      const stop = (): void => {
        if (stopping) return
        stopping = true
        running.close().then(() => process.exit(0), fail)
      }
      process.on('SIGINT', stop)
      process.on('SIGTERM', stop)
      running.ended?.then(stop, fail)
    })
    .catch(fail)
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit((error as { readonly exitCode?: number }).exitCode ?? 1)
}

/**
 * Start on `PORT` (3000).
 * @throws with one line that names `PORT` where it is none or taken; `command` is how the program is started
 */
export async function onPort<R>(command: string, start: (port: number) => Promise<R>): Promise<R> {
  const port = readPort(process.env.PORT)
  return start(port).catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      ? new Error(`Port ${port} is in use. Set PORT to a free one: PORT=${port + 1} ${command}`)
      : error
  })
}

function readPort(text: string | undefined): number {
  if (text === undefined || text === '') return 3000
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new Error(`PORT must be a number from 0 to 65535, not ${JSON.stringify(text)}.`)
}

/** Where the examples keep their data: `DEMO_DATA`, or `.demo` in the working directory. */
export function dataDirectory(): string {
  const given = process.env.DEMO_DATA
  return given === undefined || given === '' ? '.demo' : given
}

/** How a cache on `redis` is told to people, without passwords. */
export function describeCache(redis: string | undefined): string {
  if (redis === undefined || redis === '') return 'memory only (set REDIS_URL to share it through Redis)'
  return `memory and Redis at ${URL.canParse(redis) ? new URL(redis).host : 'REDIS_URL'}`
}

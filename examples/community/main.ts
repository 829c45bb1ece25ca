import { dataDirectory, prepareDatabase } from './database/prepare.ts'
import { startCommunity } from './start.ts'
import { progressLine } from './traffic/progress.ts'

/** `npm start`: the demo on `PORT` (3000), with `REDIS_URL` if there is one, data in `DEMO_DATA` (.demo). */
async function main(): Promise<void> {
  const port = readPort(process.env.PORT)
  const progress = progressLine({ label: 'seeding the database', stream: process.stderr })
  const file = prepareDatabase({ directory: dataDirectory(process.env), onProgress: progress.update })
  progress.end()
  const redis = process.env.REDIS_URL
  const running = await startCommunity({ file, port, redis }).catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? new Error(portInUse(port)) : error
  })

  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    running.close().then(() => process.exit(0), fail)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)

  console.log(greeting(`http://localhost:${running.port}`, redis))
}

function readPort(text: string | undefined): number {
  if (text === undefined || text === '') return 3000
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new Error(`PORT must be a number from 0 to 65535, not ${JSON.stringify(text)}.`)
}

function portInUse(port: number): string {
  return `Port ${port} is in use. Set PORT to a free one: PORT=${port + 1} npm start`
}

function greeting(url: string, redis: string | undefined): string {
  return `The community demo listens on ${url}
  cache        ${redis === undefined || redis === '' ? 'memory only (set REDIS_URL to share it through Redis)' : `memory and Redis at ${withoutPassword(redis)}`}
  routes       ${url}/communities  ${url}/users/1  ${url}/questions
  uncached     the same under ${url}/uncached, to compare
  statistics   ${url}/cache/stats  ${url}/cache/health  ${url}/demo/queries

Try each of these twice; the second answer is a hit (see Cache-Status):
  curl -i ${url}/communities/1/activity
  curl -i ${url}/communities/trending
  curl -i ${url}/questions/1/results
`
}

function withoutPassword(redis: string): string {
  return URL.canParse(redis) ? new URL(redis).host : 'REDIS_URL'
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}

main().catch(fail)

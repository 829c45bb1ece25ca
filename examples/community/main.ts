import { dataDirectory, describeCache, onPort, runProgram } from '../shared/program.ts'
import { prepareDatabase } from './database/prepare.ts'
import { type RunningCommunity, startCommunity } from './start.ts'
import { progressLine } from './traffic/progress.ts'

/** `npm start`: the demo on `PORT` (3000), with `REDIS_URL` if there is one, data in `DEMO_DATA` (.demo). */
runProgram(() =>
  onPort('npm start', async (port) => {
    const progress = progressLine({ label: 'seeding the database', stream: process.stderr })
    const file = prepareDatabase({ directory: dataDirectory(), onProgress: progress.update })
    progress.end()
    const redis = process.env.REDIS_URL
    const running = await startCommunity({ file, port, redis })
    console.log(greeting(running, redis))
    return running
  }),
)

function greeting({ port }: RunningCommunity, redis: string | undefined): string {
  const url = `http://localhost:${port}`
  return `The community demo listens on ${url}
  cache        ${describeCache(redis)}
  routes       ${url}/communities  ${url}/users/1  ${url}/questions
  uncached     the same under ${url}/uncached, to compare
  statistics   ${url}/cache/stats  ${url}/cache/health  ${url}/demo/queries

Try each of these twice; the second answer is a hit (see Cache-Status):
  curl -i ${url}/communities/1/activity
  curl -i ${url}/communities/trending
  curl -i ${url}/questions/1/results
`
}

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { dataDirectory, describeCache, onPort, runProgram } from '../shared/program.ts'
import { startBuilds } from './start.ts'

/** `npm run builds`: on `PORT` (3000), with `REDIS_URL` if there is one, data in `DEMO_DATA` (.demo). */
runProgram(() =>
  onPort('npm run builds', async (port) => {
    mkdirSync(dataDirectory(), { recursive: true })
    const redis = process.env.REDIS_URL
    const running = await startBuilds({ file: join(dataDirectory(), 'builds.db'), port, redis })
    const url = `http://localhost:${running.port}`
    console.log(`The builds listen on ${url}
  cache        ${describeCache(redis)}, then a table of the database

  curl ${url}/builds?class=witch
  curl ${url}/builds/1
`)
    return running
  }),
)

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { dataDirectory, describeCache, onPort, runProgram } from '../shared/program.ts'
import { startGuildAnalytics } from './start.ts'

/** `npm run guild`: the web process on `PORT` (3000), with `REDIS_URL` if there is one, data in `DEMO_DATA` (.demo). */
runProgram(() =>
  onPort('npm run guild', async (port) => {
    mkdirSync(dataDirectory(), { recursive: true })
    const redis = process.env.REDIS_URL
    const running = await startGuildAnalytics({ file: join(dataDirectory(), 'guild.db'), port, redis })
    const url = `http://localhost:${running.port}`
    console.log(`The guild analytics listen on ${url}
  cache        ${describeCache(redis)}
  reports      ghosts lurkers heatmap roles clients shifts, ?since=1d, 7d or 30d

  curl -i '${url}/guilds/1/lurkers?since=7d'
`)
    return running
  }),
)

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createCache } from '../../middleware/index.ts'
import { guildDatabase } from '../guild-analytics/database/guild-database.ts'
import { CACHE } from '../guild-analytics/guild-cache.ts'
import { dataDirectory, runProgram } from '../shared/program.ts'
import { guildBot } from './bot.ts'
import { gatewayEvents } from './gateway.ts'

/**
 * `npm run guild:bot`: takes events from stdin, a JSON object per line, and answers each on stdout when the reports that
 * it changes are gone from every web process. Shares `REDIS_URL` and `DEMO_DATA` with them.
 */
runProgram(async () => {
  const redis = process.env.REDIS_URL
  if (redis === undefined || redis === '') {
    throw new Error('Set REDIS_URL to the Redis of the web process: without one they share no cache.')
  }
  mkdirSync(dataDirectory(), { recursive: true })
  const cache = createCache({ redis, memory: false, ...CACHE })
  const handle = guildBot({ database: guildDatabase(join(dataDirectory(), 'guild.db')), cache })
  return { close: () => cache.close(), ended: work(handle) }
})

async function work(handle: ReturnType<typeof guildBot>): Promise<void> {
  for await (const event of gatewayEvents(process.stdin)) {
    const answer = event instanceof Error ? { error: event.message } : await handle(event)
    console.log(JSON.stringify(answer))
  }
}

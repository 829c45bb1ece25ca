import { createCache } from '../../middleware/index.ts'
import { type ListenOptions, listen } from '../shared/http-server.ts'
import type { Running } from '../shared/program.ts'
import { createGuildApp } from './app.ts'
import { guildDatabase } from './database/guild-database.ts'
import { CACHE } from './guild-cache.ts'

export interface GuildOptions extends ListenOptions {
  /** The database file; made and filled when missing. */
  readonly file: string
  /** URL of the Redis shared with the bot; none or empty for memory only. */
  readonly redis?: string | undefined
}

/** Take the port and answer. */
export async function startGuildAnalytics(options: GuildOptions): Promise<Running & { readonly port: number }> {
  const { server, port, close } = await listen(options)
  try {
    const database = guildDatabase(options.file)
    const cache = createCache({ redis: options.redis, ...CACHE })
    server.on('request', createGuildApp({ database, cache }))
    return {
      port,
      close: async () => {
        await close()
        await cache.close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

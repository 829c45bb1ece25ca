import { createCache } from '../../middleware/index.ts'
import { type ListenOptions, listen } from '../shared/http-server.ts'
import { createCommunityApp } from './app.ts'
import { CommunityDatabase } from './database/database.ts'

export interface StartOptions extends ListenOptions {
  /** The database file, prepared. */
  readonly file: string
  /** URL of a Redis; none or empty for memory only. */
  readonly redis?: string | undefined
  /** @default true */
  readonly invalidation?: boolean
  /** @default true */
  readonly durable?: boolean
}

export interface RunningCommunity {
  readonly port: number
  readonly database: CommunityDatabase
  /** Finish what is being answered, then let go of the cache, the database and the port. */
  readonly close: () => Promise<void>
}

/** Take the port, open the database and answer. */
export async function startCommunity(options: StartOptions): Promise<RunningCommunity> {
  const { server, port, close } = await listen(options)
  try {
    const database = new CommunityDatabase(options.file, { durable: options.durable ?? true })
    const cache = createCache({ redis: options.redis, namespace: `community-${database.instance.toString(36)}` })
    server.on('request', createCommunityApp({ database, cache, invalidation: options.invalidation ?? true }))
    return {
      port,
      database,
      close: async () => {
        await close()
        await cache.close()
        database.close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createCache } from '../../middleware/index.ts'
import { createCommunityApp } from './app.ts'
import { CommunityDatabase } from './database/database.ts'

export interface StartOptions {
  /** The database file, prepared. */
  readonly file: string
  /** 0 takes a free one. */
  readonly port: number
  /** @default every interface */
  readonly host?: string
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

/** How long open requests may take to finish when the demo is stopped. */
const GRACE_MS = 2_000

/** Take the port, open the database and answer. */
export async function startCommunity(options: StartOptions): Promise<RunningCommunity> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: options.port, ...(options.host !== undefined && { host: options.host }) }, resolve)
  })
  const closeServer = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
    server.closeIdleConnections()
    const patience = setTimeout(() => server.closeAllConnections(), GRACE_MS)
    await closed
    clearTimeout(patience)
  }
  try {
    const database = new CommunityDatabase(options.file, { durable: options.durable ?? true })
    const cache = createCache({ redis: options.redis, namespace: `community-${database.instance.toString(36)}` })
    server.on('request', createCommunityApp({ database, cache, invalidation: options.invalidation ?? true }))
    return {
      port: (server.address() as AddressInfo).port,
      database,
      close: async () => {
        await closeServer()
        await cache.close()
        database.close()
      },
    }
  } catch (error) {
    await closeServer()
    throw error
  }
}

import { createCache } from '../../middleware/index.ts'
import { type ListenOptions, listen } from '../shared/http-server.ts'
import type { Running } from '../shared/program.ts'
import { SqlDatabase } from '../shared/sql-database.ts'
import { createBuildsApp } from './app.ts'
import { buildRepository } from './database/builds.ts'
import { MIGRATIONS } from './database/migrations.ts'
import { seedBuilds } from './database/seed.ts'
import { tableStore } from './table-store.ts'

export interface BuildsOptions extends ListenOptions {
  /** The database file; made and filled when missing. */
  readonly file: string
  /** URL of a Redis; none or empty for none. */
  readonly redis?: string | undefined
}

export interface RunningBuilds extends Running {
  readonly port: number
  readonly database: SqlDatabase
}

/** Take the port, open the database and answer. */
export async function startBuilds(options: BuildsOptions): Promise<RunningBuilds> {
  const { server, port, close } = await listen(options)
  try {
    const database = new SqlDatabase(options.file, { migrations: MIGRATIONS })
    seedBuilds(database)
    const cache = createCache({
      redis: options.redis,
      namespace: 'builds',
      // After memory and Redis, before the source.
      fallback: [tableStore(database)],
      staleIfRedisDown: '5m',
    })
    server.on('request', createBuildsApp({ builds: buildRepository(database), cache }))
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

import type { SqlDatabase } from '../shared/sql-database.ts'

/**
 * A table of the application's database as the second store of the cache, as frameworks keep a cache of their own: what it has
 * survives both Redis and this process. What is kept is opaque, and whether it still holds is for the cache to judge.
 */
export function tableStore(database: SqlDatabase) {
  return {
    name: 'table',
    get(key: string): Uint8Array | undefined {
      const sql = 'SELECT bytes FROM cache_entries WHERE key = ? AND expires_at > ?'
      return database.get<{ bytes: Uint8Array }>(sql, [key, Date.now()])?.bytes
    },
    set(key: string, bytes: Uint8Array, ttlMs: number): void {
      const now = Date.now()
      database.run('DELETE FROM cache_entries WHERE expires_at <= ?', [now])
      database.run('REPLACE INTO cache_entries VALUES (?, ?, ?)', [key, bytes, now + ttlMs])
    },
    delete(key: string): void {
      database.run('DELETE FROM cache_entries WHERE key = ?', [key])
    },
  }
}

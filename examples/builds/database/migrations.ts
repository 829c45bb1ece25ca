/** The schema, step by step. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE builds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    class TEXT NOT NULL,
    title TEXT NOT NULL,
    guide TEXT NOT NULL,
    author_id INTEGER NOT NULL,
    likes INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE likes (
    user_id INTEGER NOT NULL,
    build_id INTEGER NOT NULL,
    PRIMARY KEY (user_id, build_id)
  ) WITHOUT ROWID;
  CREATE INDEX builds_by_class ON builds (class, likes);
  CREATE INDEX builds_by_author ON builds (author_id);

  CREATE TABLE cache_entries (
    key TEXT PRIMARY KEY,
    bytes BLOB NOT NULL,
    expires_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  `,
]

/** The schema, step by step. Times are epoch seconds. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta VALUES ('recorded', 0);

  CREATE TABLE members (
    guild_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (guild_id, user_id)
  ) WITHOUT ROWID;
  CREATE TABLE roles (
    guild_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (guild_id, user_id, role)
  ) WITHOUT ROWID;
  CREATE TABLE messages (guild_id TEXT NOT NULL, user_id TEXT NOT NULL, at INTEGER NOT NULL);
  CREATE TABLE typings (guild_id TEXT NOT NULL, user_id TEXT NOT NULL, at INTEGER NOT NULL);
  CREATE TABLE presences (guild_id TEXT NOT NULL, user_id TEXT NOT NULL, client TEXT NOT NULL, at INTEGER NOT NULL);
  CREATE INDEX messages_by_guild ON messages (guild_id, at, user_id);
  CREATE INDEX typings_by_guild ON typings (guild_id, at, user_id);
  CREATE INDEX presences_by_guild ON presences (guild_id, at, user_id, client);
  `,
]

/** The schema, step by step. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta VALUES ('write_seq', 0);

  CREATE TABLE communities (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    description TEXT NOT NULL,
    popularity INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  );
  CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    bio TEXT NOT NULL,
    joined_at INTEGER NOT NULL
  );
  CREATE TABLE memberships (
    community_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (community_id, user_id)
  ) WITHOUT ROWID;
  CREATE TABLE posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    community_id INTEGER NOT NULL,
    author_id INTEGER NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    score INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  );
  CREATE TABLE questions (
    id INTEGER PRIMARY KEY,
    community_id INTEGER NOT NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL
  );
  CREATE TABLE options (
    id INTEGER PRIMARY KEY,
    question_id INTEGER NOT NULL,
    label TEXT NOT NULL
  );
  CREATE TABLE votes (
    question_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    option_id INTEGER NOT NULL,
    voted_at INTEGER NOT NULL,
    PRIMARY KEY (question_id, user_id)
  ) WITHOUT ROWID;
  `,
  `
  CREATE INDEX communities_by_category ON communities (category, popularity);
  CREATE INDEX memberships_by_user ON memberships (user_id);
  CREATE INDEX posts_by_community ON posts (community_id);
  CREATE INDEX posts_by_community_score ON posts (community_id, score);
  CREATE INDEX posts_by_community_author ON posts (community_id, author_id);
  CREATE INDEX posts_by_community_time ON posts (community_id, created_at);
  CREATE INDEX posts_by_author ON posts (author_id);
  CREATE INDEX questions_by_status ON questions (status);
  CREATE INDEX options_by_question ON options (question_id);
  CREATE INDEX votes_by_option ON votes (question_id, option_id);
  CREATE INDEX votes_by_time ON votes (voted_at);
  `,
]

/** The schema without its indexes: filling tables before indexing them is much faster. */
export const TABLES_ONLY = 1

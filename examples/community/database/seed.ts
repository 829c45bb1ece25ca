import { below, pick, type Random, seededRandom, weightedIndex, zipfShares } from '../../shared/random.ts'
import type { SqlValue } from '../../shared/sql-database.ts'
import type { CommunityDatabase } from './database.ts'
import {
  answers,
  CATEGORIES,
  communityDescription,
  communityName,
  personName,
  postTitle,
  questionTitle,
  text,
} from './words.ts'

/** How many of each thing a seeded database has. Sizes of communities and questions follow Zipf's law. */
export interface SeedSize {
  readonly communities: number
  readonly users: number
  readonly posts: number
  readonly memberships: number
  readonly questions: number
  readonly votes: number
}

export const FULL_SIZE: SeedSize = {
  communities: 240,
  users: 24_000,
  posts: 120_000,
  memberships: 120_000,
  questions: 600,
  votes: 300_000,
}

export type SeedProgress = (done: number, total: number) => void

/** Raised when the made-up data change, so that older seeds on disk are not taken for new ones. */
export const SEED_VERSION = 1

const SEED = 20_250_101
/** The made-up year begins here, in epoch seconds: 2025-01-01. */
const YEAR_STARTS_AT = 1_735_689_600
const YEAR = 365 * 86_400

/**
 * Fill an empty schema with the same data on every machine, in one transaction. Rows are written as they are made, so that
 * memory stays small whatever the size.
 */
export function seed(database: CommunityDatabase, size: SeedSize, onProgress: SeedProgress = () => undefined): void {
  const total = Object.values(size).reduce((sum, count) => sum + count, 0)
  let done = 0
  const advance = (rows: number): void => {
    done += rows
    onProgress(Math.min(done, total), total)
  }
  const random = seededRandom(SEED)
  const audiences = makeAudiences(random, size)
  database.transaction(() => {
    seedCommunities({ database, random, size, audiences, advance })
    seedUsers({ database, random, size, audiences, advance })
    seedMemberships({ database, random, size, audiences, advance })
    seedPosts({ database, random, size, audiences, advance })
    seedQuestions({ database, random, size, audiences, advance })
  })
  onProgress(total, total)
}

interface Seeding {
  readonly database: CommunityDatabase
  readonly random: Random
  readonly size: SeedSize
  readonly audiences: readonly Audience[]
  readonly advance: (rows: number) => void
}

/** The members of one community as a walk over all users: no list is kept, and no user comes twice. */
interface Audience {
  readonly category: string
  readonly members: number
  readonly memberAt: (index: number) => number
}

function makeAudiences(random: Random, size: SeedSize): readonly Audience[] {
  return Array.from(zipfShares(size.communities), (share, index) => ({
    category: CATEGORIES[index % CATEGORIES.length] as string,
    members: Math.max(1, Math.min(size.users, Math.round(share * size.memberships))),
    memberAt: walkOver(random, size.users),
  }))
}

/** A walk that visits each of 1..count once before it repeats: start anywhere, step by a number that shares no factor. */
function walkOver(random: Random, count: number): (index: number) => number {
  const start = below(random, count)
  let step = 1 + below(random, count)
  while (greatestCommonDivisor(step, count) !== 1) step += 1
  return (index) => ((start + index * step) % count) + 1
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right)
}

function seedCommunities({ database, random, audiences, advance }: Seeding): void {
  const rows = rowWriter({ database, table: 'communities', columns: 6, advance })
  audiences.forEach(({ category, members }, index) => {
    rows.write(
      index + 1,
      communityName(random, category),
      category,
      communityDescription(random, category),
      members,
      YEAR_STARTS_AT - below(random, YEAR),
    )
  })
  rows.end()
}

function seedUsers({ database, random, size, advance }: Seeding): void {
  const rows = rowWriter({ database, table: 'users', columns: 4, advance })
  for (let id = 1; id <= size.users; id++) {
    rows.write(id, personName(random), text(random, 2), YEAR_STARTS_AT - below(random, YEAR))
  }
  rows.end()
}

function seedMemberships({ database, random, audiences, advance }: Seeding): void {
  const rows = rowWriter({ database, table: 'memberships', columns: 3, advance })
  audiences.forEach(({ members, memberAt }, index) => {
    for (let member = 0; member < members; member++) {
      rows.write(index + 1, memberAt(member), YEAR_STARTS_AT + below(random, YEAR))
    }
  })
  rows.end()
}

/** Posts come in the order of time and mingle the communities; a few members of each write most of its posts. */
function seedPosts({ database, random, size, audiences, advance }: Seeding): void {
  const rows = rowWriter({ database, table: 'posts', columns: 7, advance })
  const drawCommunity = weightedIndex(audiences.map(({ members }) => members))
  for (let id = 1; id <= size.posts; id++) {
    const community = drawCommunity(random)
    const { category, members, memberAt } = audiences[community] as Audience
    rows.write(
      id,
      community + 1,
      memberAt(Math.floor(members * random() ** 3)),
      postTitle(random, category),
      text(random, 6),
      Math.floor(500 * random() ** 8),
      YEAR_STARTS_AT + Math.floor((YEAR * id) / size.posts),
    )
  }
  rows.end()
}

function seedQuestions({ database, random, size, audiences, advance }: Seeding): void {
  const questions = rowWriter({ database, table: 'questions', columns: 5, advance })
  const options = rowWriter({ database, table: 'options', columns: 3, advance: () => undefined })
  const optionsOf: number[][] = []
  let optionId = 0
  for (let id = 1; id <= size.questions; id++) {
    const createdAt = YEAR_STARTS_AT + below(random, YEAR)
    // The most popular questions stay open, so that there is something to vote on.
    const status = id > 10 && random() < 0.4 ? 'closed' : 'open'
    questions.write(id, 1 + below(random, audiences.length), questionTitle(random), status, createdAt)
    optionsOf.push(
      answers(random).map((label) => {
        optionId += 1
        options.write(optionId, id, label)
        return optionId
      }),
    )
  }
  questions.end()
  options.end()

  const votes = rowWriter({ database, table: 'votes', columns: 4, advance })
  zipfShares(size.questions).forEach((share, index) => {
    const voterAt = walkOver(random, size.users)
    const voters = Math.min(size.users, Math.round(share * size.votes))
    for (let voter = 0; voter < voters; voter++) {
      votes.write(
        index + 1,
        voterAt(voter),
        pick(random, optionsOf[index] as number[]),
        YEAR_STARTS_AT + below(random, YEAR),
      )
    }
  })
  votes.end()
}

interface RowWriter {
  readonly write: (...values: SqlValue[]) => void
  readonly end: () => void
}

/** Rows per statement: one call into the database for many rows is several times faster than one for each. */
const BATCH = 50

function rowWriter(options: {
  readonly database: CommunityDatabase
  readonly table: string
  readonly columns: number
  readonly advance: (rows: number) => void
}): RowWriter {
  const { database, table, columns, advance } = options
  const row = `(${Array(columns).fill('?').join(', ')})`
  const waiting: SqlValue[] = []
  const flush = (): void => {
    const rows = waiting.length / columns
    if (rows === 0) return
    database.run(`INSERT INTO ${table} VALUES ${Array(rows).fill(row).join(', ')}`, waiting)
    waiting.length = 0
    advance(rows)
  }
  return {
    write: (...values) => {
      waiting.push(...values)
      if (waiting.length === BATCH * columns) flush()
    },
    end: flush,
  }
}

import type { Change, CommunityDatabase } from '../database/database.ts'
import { resource } from '../resources.ts'

export type QuestionStatus = 'open' | 'closed'

export interface Question {
  readonly id: number
  readonly communityId: number
  readonly title: string
  readonly status: QuestionStatus
  readonly createdAt: number
}

export interface Option {
  readonly id: number
  readonly label: string
}

export interface Result extends Option {
  readonly votes: number
}

export interface QuestionRepository {
  readonly list: (status: QuestionStatus | undefined) => readonly Question[]
  readonly trending: () => readonly { readonly id: number; readonly title: string; readonly recentVotes: number }[]
  readonly find: (id: number) => Question | undefined
  readonly options: (question: number) => readonly Option[]
  readonly results: (question: number) => readonly Result[]
  readonly vote: (vote: { readonly question: number; readonly user: number; readonly option: number }) => Change
  readonly setStatus: (question: Question, status: QuestionStatus) => Change
}

export const QUESTION_STATUSES: readonly QuestionStatus[] = ['open', 'closed']

/** How many of the newest votes decide what is trending. */
const TRENDING_WINDOW = 2_000

const COLUMNS = 'id, community_id AS communityId, title, status, created_at AS createdAt'

/** The SQL of questions, their options and votes. */
export function questionRepository(database: CommunityDatabase): QuestionRepository {
  return {
    list(status) {
      const order = 'ORDER BY created_at DESC, id LIMIT 50'
      if (status === undefined) return database.all<Question>(`SELECT ${COLUMNS} FROM questions ${order}`)
      return database.all<Question>(`SELECT ${COLUMNS} FROM questions WHERE status = ? ${order}`, [status])
    },

    trending() {
      return database.all(
        `SELECT q.id, q.title, count(*) AS recentVotes
         FROM (SELECT question_id FROM votes ORDER BY voted_at DESC, question_id, user_id LIMIT ${TRENDING_WINDOW}) v
         JOIN questions q ON q.id = v.question_id
         GROUP BY q.id ORDER BY recentVotes DESC, q.id LIMIT 20`,
      )
    },

    find(id) {
      return database.get<Question>(`SELECT ${COLUMNS} FROM questions WHERE id = ?`, [id])
    },

    options(question) {
      return database.all<Option>('SELECT id, label FROM options WHERE question_id = ? ORDER BY id', [question])
    },

    results(question) {
      return database.all<Result>(
        `SELECT o.id, o.label, coalesce(v.votes, 0) AS votes
         FROM options o
         LEFT JOIN (SELECT option_id, count(*) AS votes FROM votes WHERE question_id = ?1 GROUP BY option_id) v ON v.option_id = o.id
         WHERE o.question_id = ?1 ORDER BY o.id`,
        [question],
      )
    },

    vote({ question, user, option }) {
      return database.change(() => {
        database.run(
          `INSERT INTO votes VALUES (?, ?, ?, unixepoch())
           ON CONFLICT DO UPDATE SET option_id = excluded.option_id, voted_at = excluded.voted_at`,
          [question, user, option],
        )
        return [resource.questionVotes(question), resource.recentVotes]
      })
    },

    setStatus({ id, status: old }, status) {
      return database.change(() => {
        if (status === old) return []
        database.run('UPDATE questions SET status = ? WHERE id = ?', [status, id])
        return [resource.question(id), resource.questionsWith(old), resource.questionsWith(status)]
      })
    },
  }
}

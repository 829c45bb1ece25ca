import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

interface OfQuestion {
  readonly questionId: Id
}

/** The entities of the voting domain and their arguments. */
export interface VotingEntities {
  readonly question: OfQuestion
  readonly results: OfQuestion
  readonly voteCounts: OfQuestion
  /** What one user has voted. */
  readonly userVote: OfQuestion & { readonly userId: Id }
  readonly analytics: OfQuestion & { readonly period?: string }
  /** The share of those entitled who have voted. */
  readonly participation: OfQuestion
  readonly trending: { readonly limit?: number; readonly period?: string }
}

/** What happens in the voting domain. */
export interface VotingEvents {
  readonly voteCast: OfQuestion & { readonly userId: Id }
  readonly questionOpened: OfQuestion
  readonly questionClosed: OfQuestion
}

/** On everything that is about one question. */
const all = (id: Id): string => tagName('question', id)
const votes = (id: Id): string => tagName('question', id, 'votes')
const voter = (id: Id, userId: Id): string => tagName('question', id, 'voter', userId)
const TRENDING = 'questions:trending'

const questionChanged = ({ questionId }: OfQuestion): readonly string[] => [all(questionId), TRENDING]

/**
 * Questions and votes. Everything counted from votes is wrong with each vote cast, so that results are those of this moment; results
 * and counts are loaded again at once.
 *
 * A vote does not touch trending, which would then rarely be kept: it is as old as its lifetime, 5 min.
 */
export const voting: Strategy<VotingEntities, VotingEvents> = defineStrategy<VotingEntities, VotingEvents>({
  name: 'voting',
  entities: {
    question: { ttl: '10m', by: ['questionId'], tags: ({ questionId }) => [all(questionId)] },
    results: { ttl: '30s', by: ['questionId'], tags: ({ questionId }) => [all(questionId), votes(questionId)] },
    voteCounts: { ttl: '30s', by: ['questionId'], tags: ({ questionId }) => [all(questionId), votes(questionId)] },
    userVote: {
      ttl: '1h',
      by: ['questionId', 'userId'],
      private: true,
      tags: ({ questionId, userId }) => [all(questionId), voter(questionId, userId)],
    },
    analytics: { ttl: '5m', by: ['questionId'], tags: ({ questionId }) => [all(questionId), votes(questionId)] },
    participation: { ttl: '5m', by: ['questionId'], tags: ({ questionId }) => [all(questionId), votes(questionId)] },
    trending: { ttl: '5m', by: [], popular: [{}], tags: () => [TRENDING] },
  },
  events: {
    voteCast: {
      tags: ({ questionId, userId }) => [votes(questionId), voter(questionId, userId)],
      refresh: ({ questionId }) => ({ results: [{ questionId }], voteCounts: [{ questionId }] }),
    },
    questionOpened: questionChanged,
    questionClosed: questionChanged,
  },
})

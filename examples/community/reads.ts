import type { Id } from '../../strategies/index.ts'
import type { CommunityDatabase } from './database/database.ts'
import { communityRepository } from './repositories/communities.ts'
import { type QuestionStatus, questionRepository, type Result } from './repositories/questions.ts'
import { type User, userRepository } from './repositories/users.ts'

/** A value of the service says, like a body, which state of the database it belongs to. */
interface AsOf {
  readonly asOf: number
}

type Read<A, T> = (args: A) => Promise<(T & AsOf) | undefined>

/** What routes read by name and not by SQL, so that more than one place may keep it; undefined where there is no such thing. */
export interface Reads {
  readonly memberCount: Read<{ readonly communityId: Id }, { readonly community: number; readonly members: number }>
  readonly user: Read<{ readonly userId: Id }, { readonly user: User }>
  readonly permissions: Read<{ readonly userId: Id; readonly communityId: Id }, { readonly may: readonly string[] }>
  readonly results: Read<
    { readonly questionId: Id },
    { readonly question: number; readonly status: QuestionStatus; readonly results: readonly Result[] }
  >
}

const GUEST: readonly string[] = ['read']
const MEMBER: readonly string[] = [...GUEST, 'post', 'vote']

/** The reads from the database itself; `mount` tells their costs from those of the same reads behind a cache. */
export function readsOf(database: CommunityDatabase, mount = ''): Reads {
  const communities = communityRepository(database)
  const questions = questionRepository(database)
  const users = userRepository(database)
  const read =
    <A, T extends object>(route: string, find: (args: A) => T | undefined): Read<A, T> =>
    async (args) => {
      const found = database.measure(route + mount, () => find(args))
      return found && { asOf: database.writeSeq, ...found }
    }
  return {
    memberCount: read('GET /communities/:communityId/members/count', ({ communityId }) => {
      const community = communities.find(Number(communityId))
      return community && { community: community.id, members: communities.countMembers(community.id) }
    }),
    user: read('GET /users/:userId', ({ userId }) => {
      const user = users.find(Number(userId))
      return user && { user }
    }),
    permissions: read('GET /users/:userId/communities/:communityId/permissions', ({ userId, communityId }) => {
      const community = communities.find(Number(communityId))
      return community && { may: communities.hasMember(community.id, Number(userId)) ? MEMBER : GUEST }
    }),
    results: read('GET /questions/:questionId/results', ({ questionId }) => {
      const question = questions.find(Number(questionId))
      return question && { question: question.id, status: question.status, results: questions.results(question.id) }
    }),
  }
}

import { defineStrategy, type Id, type Strategy, tagName } from '../../strategies/index.ts'

interface SiteEntities {
  /** The newest posts of a user, in all communities. */
  readonly userPosts: { readonly userId: Id }
  readonly questionList: Readonly<Record<never, never>>
  readonly trendingQuestions: Readonly<Record<never, never>>
}

interface SiteEvents {
  readonly communityOfCategoryChanged: { readonly category: string }
  /** A post came or went: what its author has written changed, and the counts on the profile. */
  readonly postsOfUserChanged: { readonly userId: Id }
  readonly postEdited: { readonly postId: Id }
  readonly questionsChanged: Readonly<Record<never, never>>
  readonly voted: Readonly<Record<never, never>>
}

const QUESTIONS = 'questions'
const RECENT_VOTES = 'votes:recent'

/** What pages show beside what their policy is about: each is a tag, added by the handler that finds it in its rows. */
export const shown = {
  community: (id: Id): string => tagName('community', id),
  category: (name: string): string => tagName('category', name),
  user: (id: Id): string => tagName('user', id),
  post: (id: Id): string => tagName('post', id),
  postsOf: (userId: Id): string => tagName('user', userId, 'posts'),
  membershipsOf: (userId: Id): string => tagName('user', userId, 'memberships'),
} as const

/**
 * What the community, user and voting domains leave to the application: lists of its own, and trending questions that follow each
 * vote, because this demo counts every old body as wrong.
 */
export const site: Strategy<SiteEntities, SiteEvents> = defineStrategy<SiteEntities, SiteEvents>({
  name: 'site',
  entities: {
    userPosts: { ttl: '5m', by: ['userId'], tags: ({ userId }) => [shown.user(userId), shown.postsOf(userId)] },
    questionList: { ttl: '10m', by: [], tags: () => [QUESTIONS] },
    trendingQuestions: { ttl: '5m', by: [], tags: () => [RECENT_VOTES] },
  },
  events: {
    communityOfCategoryChanged: ({ category }) => [shown.category(category)],
    postsOfUserChanged: ({ userId }) => [shown.postsOf(userId)],
    postEdited: ({ postId }) => [shown.post(postId)],
    questionsChanged: () => [QUESTIONS],
    voted: () => [RECENT_VOTES],
  },
})

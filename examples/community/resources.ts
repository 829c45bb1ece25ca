/**
 * The names of what answers are made from. A write says the names of what it touched, as the database knows them; the traffic run
 * holds answers to them, and so checks the tags of the strategies, which are stated apart from these.
 */
export const resource = {
  /** Name, description and category of one community. */
  community: (id: number | string): string => `community:${id}`,
  /** Which communities are in a category, and what they are called. */
  category: (name: string): string => `category:${name}`,
  /** Which posts a community has. */
  communityPosts: (id: number | string): string => `community:${id}:posts`,
  /** Who belongs to a community. */
  communityMembers: (id: number | string): string => `community:${id}:members`,
  /** The newest posts of all communities. */
  recentPosts: 'posts:recent',
  /** Title and text of one post. */
  post: (id: number | string): string => `post:${id}`,
  /** Name and biography of one user. */
  user: (id: number | string): string => `user:${id}`,
  /** Which posts a user has written. */
  userPosts: (id: number | string): string => `user:${id}:posts`,
  /** Which communities a user belongs to. */
  userMemberships: (id: number | string): string => `user:${id}:memberships`,
  /** Title, status and options of one question. */
  question: (id: number | string): string => `question:${id}`,
  /** Which questions have a status. */
  questionsWith: (status: string): string => `questions:${status}`,
  /** The votes on one question. */
  questionVotes: (id: number | string): string => `question:${id}:votes`,
  /** The newest votes on all questions. */
  recentVotes: 'votes:recent',
} as const

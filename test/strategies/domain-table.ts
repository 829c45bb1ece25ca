import { createHash } from 'node:crypto'
import * as strategies from '../../strategies/index.ts'

/**
 * What users were promised of each domain, written down without looking at the code: lifetimes in seconds, what identifies an entity,
 * and what each event makes wrong.
 */

export interface EntityRow {
  readonly ttl: number
  /** Arguments that identify it, in the order of its key. */
  readonly by: readonly Name[]
  /** Nobody else's. */
  readonly private?: true
}

export interface DomainRow {
  readonly domain: object
  readonly service: string
  readonly entities: Readonly<Record<string, EntityRow>>
  /** Each event with the entities of its own subject that it makes wrong; those without an identity are everybody's. */
  readonly events: Readonly<Record<string, readonly string[]>>
  /** Where an event also reaches what is about others: feeds that may have the post, likes of the build. */
  readonly everybodys?: Readonly<Record<string, readonly string[]>>
  /** The key, where it is not `{service}:{entity}:{identifier}:v1`. */
  key?(entity: string, ids: Ids): string
}

export type Name = keyof typeof OURS
export type Ids = Readonly<Record<Name, string>>

/** What the events are about. */
export const OURS = {
  communityId: '7',
  userId: '3',
  questionId: '9',
  address: '0xA',
  postId: '11',
  conversationId: '21',
  text: 'ca',
  guildId: '31',
  since: '2026-11-01',
  buildId: '41',
  listingId: '51',
  model: 'large',
  prompt: 'Why?',
  contentId: '61',
  subject: 'orders',
} as const

/** What they are not about. */
export const OTHERS: Ids = {
  communityId: '8',
  userId: '4',
  questionId: '10',
  address: '0xB',
  postId: '12',
  conversationId: '22',
  text: 'ca:lo',
  guildId: '32',
  since: '2026-11-02',
  buildId: '42',
  listingId: '52',
  model: 'small',
  prompt: 'Why?',
  contentId: '62',
  subject: 'refunds',
}

const SECOND = 1
const MINUTE = 60
const HOUR = 3_600

const ofOnePost = ['posts', 'trending', 'activity']
const ofOneMember = ['members', 'memberCount', 'activity']
const ofOneQuestion = ['question', 'results', 'voteCounts', 'userVote', 'analytics', 'participation', 'trending']
const ofOneFeedPost = ['post', 'comments', 'reactions', 'feedPage', 'trending']
const ofOneBuild = ['listings', 'details', 'userBuilds', 'likedBuilds']
const ofOneContent = ['result', 'spamScore', 'toxicity']

export const DOMAINS: Readonly<Record<string, DomainRow>> = {
  community: {
    domain: strategies.community,
    service: 'community',
    entities: {
      metadata: { ttl: HOUR, by: ['communityId'] },
      config: { ttl: HOUR, by: ['communityId'] },
      list: { ttl: 5 * MINUTE, by: [] },
      posts: { ttl: 5 * MINUTE, by: ['communityId'] },
      trending: { ttl: 5 * MINUTE, by: [] },
      members: { ttl: 10 * MINUTE, by: ['communityId'] },
      memberCount: { ttl: 5 * MINUTE, by: ['communityId'] },
      activity: { ttl: 5 * MINUTE, by: ['communityId'] },
    },
    events: {
      communityUpdated: ['metadata', 'config', 'list', 'posts', 'trending', 'members', 'memberCount', 'activity'],
      postCreated: ofOnePost,
      postUpdated: ofOnePost,
      postDeleted: ofOnePost,
      memberJoined: ofOneMember,
      memberLeft: ofOneMember,
    },
  },
  user: {
    domain: strategies.user,
    service: 'user',
    entities: {
      user: { ttl: HOUR, by: ['userId'] },
      profile: { ttl: 2 * HOUR, by: ['userId'] },
      friends: { ttl: 30 * MINUTE, by: ['userId'] },
      settings: { ttl: HOUR, by: ['userId'], private: true },
      preferences: { ttl: HOUR, by: ['userId'], private: true },
      permissions: { ttl: 15 * MINUTE, by: ['userId', 'communityId'], private: true },
      sessions: { ttl: 24 * HOUR, by: ['userId'], private: true },
      activity: { ttl: 5 * MINUTE, by: ['userId'] },
      memberships: { ttl: 30 * MINUTE, by: ['userId'] },
      wallet: { ttl: 24 * HOUR, by: ['address'], private: true },
    },
    events: {
      userUpdated: [
        'user',
        'profile',
        'friends',
        'settings',
        'preferences',
        'permissions',
        'sessions',
        'activity',
        'memberships',
      ],
      friendsChanged: ['friends'],
      roleChanged: ['permissions', 'memberships'],
    },
  },
  voting: {
    domain: strategies.voting,
    service: 'voting',
    entities: {
      question: { ttl: 10 * MINUTE, by: ['questionId'] },
      results: { ttl: 30 * SECOND, by: ['questionId'] },
      voteCounts: { ttl: 30 * SECOND, by: ['questionId'] },
      userVote: { ttl: HOUR, by: ['questionId', 'userId'], private: true },
      analytics: { ttl: 5 * MINUTE, by: ['questionId'] },
      participation: { ttl: 5 * MINUTE, by: ['questionId'] },
      trending: { ttl: 5 * MINUTE, by: [] },
    },
    events: {
      voteCast: ['results', 'voteCounts', 'userVote', 'analytics', 'participation'],
      questionOpened: ofOneQuestion,
      questionClosed: ofOneQuestion,
    },
  },
  feed: {
    domain: strategies.feed,
    service: 'feed',
    entities: {
      post: { ttl: 30 * MINUTE, by: ['postId'] },
      comments: { ttl: 10 * MINUTE, by: ['postId'] },
      reactions: { ttl: 30 * MINUTE, by: ['postId'] },
      feedPage: { ttl: 15 * MINUTE, by: ['userId'], private: true },
      conversation: { ttl: 5 * MINUTE, by: ['userId', 'conversationId'], private: true },
      messages: { ttl: 5 * MINUTE, by: ['userId', 'conversationId'], private: true },
      notifications: { ttl: MINUTE, by: ['userId'], private: true },
      unreadCount: { ttl: MINUTE, by: ['userId'], private: true },
      searchSuggestions: { ttl: 10 * MINUTE, by: ['text'] },
      trending: { ttl: 5 * MINUTE, by: [] },
    },
    events: {
      postCreated: ofOneFeedPost,
      postUpdated: ofOneFeedPost,
      postDeleted: ofOneFeedPost,
      commentAdded: ['post', 'comments'],
      reactionChanged: ['post', 'reactions'],
      messageSent: ['conversation', 'messages'],
    },
    everybodys: { postCreated: ['feedPage'], postUpdated: ['feedPage'], postDeleted: ['feedPage'] },
  },
  guildAnalytics: {
    domain: strategies.guildAnalytics,
    service: 'analytics',
    entities: {
      ghosts: { ttl: 5 * MINUTE, by: ['guildId', 'since'] },
      lurkers: { ttl: 5 * MINUTE, by: ['guildId', 'since'] },
      heatmap: { ttl: 15 * MINUTE, by: ['guildId', 'since'] },
      roles: { ttl: 10 * MINUTE, by: ['guildId', 'since'] },
      clients: { ttl: 2 * MINUTE, by: ['guildId', 'since'] },
      shifts: { ttl: 5 * MINUTE, by: ['guildId', 'since'] },
    },
    events: {
      messageCreated: ['ghosts', 'lurkers', 'heatmap'],
      typing: ['ghosts'],
      presenceUpdated: ['lurkers', 'clients', 'shifts'],
      roleChanged: ['roles'],
    },
    key: (type, { guildId, since }) => `analytics:${type}:${guildId}:${since}`,
  },
  build: {
    domain: strategies.build,
    service: 'build',
    entities: {
      listings: { ttl: 5 * MINUTE, by: [] },
      details: { ttl: 5 * MINUTE, by: ['buildId'] },
      classes: { ttl: 10 * MINUTE, by: [] },
      userBuilds: { ttl: 5 * MINUTE, by: ['userId'], private: true },
      likedBuilds: { ttl: 5 * MINUTE, by: ['userId'], private: true },
    },
    events: {
      buildCreated: ['listings', 'userBuilds'],
      buildUpdated: ofOneBuild,
      buildDeleted: ofOneBuild,
      liked: ['details', 'likedBuilds'],
    },
    everybodys: { buildUpdated: ['likedBuilds'], buildDeleted: ['likedBuilds'] },
  },
  marketplace: {
    domain: strategies.marketplace,
    service: 'marketplace',
    entities: {
      listing: { ttl: 15 * MINUTE, by: ['listingId'] },
      search: { ttl: 5 * MINUTE, by: [] },
    },
    events: { listingUpdated: ['listing', 'search'], listingSold: ['listing', 'search'] },
  },
  aiResponse: {
    domain: strategies.aiResponse,
    service: 'aiResponse',
    entities: {
      response: { ttl: 24 * HOUR, by: ['model', 'prompt'], private: true },
      modelOutput: { ttl: 24 * HOUR, by: ['model', 'prompt'], private: true },
    },
    events: { modelChanged: ['response', 'modelOutput'] },
    key: (entity, { model, prompt }) =>
      `aiResponse:${entity}:${createHash('sha256').update(`["${model}","${prompt}",{}]`).digest('hex')}:v1`,
  },
  moderation: {
    domain: strategies.moderation,
    service: 'moderation',
    entities: {
      result: { ttl: 30 * MINUTE, by: ['contentId'], private: true },
      spamScore: { ttl: 30 * MINUTE, by: ['contentId'], private: true },
      toxicity: { ttl: 30 * MINUTE, by: ['contentId'], private: true },
      reputation: { ttl: HOUR, by: ['userId'], private: true },
    },
    events: { contentEdited: ofOneContent, appealDecided: [...ofOneContent, 'reputation'] },
  },
  admin: {
    domain: strategies.admin,
    service: 'admin',
    entities: {
      dashboard: { ttl: MINUTE, by: ['subject'], private: true },
      analytics: { ttl: HOUR, by: ['subject'], private: true },
      report: { ttl: HOUR, by: ['subject'], private: true },
      liveMetrics: { ttl: 5 * SECOND, by: ['subject'], private: true },
    },
    events: { subjectWritten: ['dashboard', 'analytics', 'report', 'liveMetrics'] },
  },
}

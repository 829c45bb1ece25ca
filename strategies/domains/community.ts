import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

interface OfCommunity {
  readonly communityId: Id
}

/** Which part of a list. */
interface Paged {
  readonly page?: number
  readonly limit?: number
  readonly sort?: string
}

/** The entities of the community domain and their arguments. */
export interface CommunityEntities {
  /** Name, description and whatever else belongs to the community itself. */
  readonly metadata: OfCommunity
  readonly config: OfCommunity
  /** Communities, filtered. */
  readonly list: Paged & { readonly filters?: Readonly<Record<string, unknown>> }
  readonly posts: OfCommunity & Paged
  /** Communities that are popular now. */
  readonly trending: { readonly limit?: number; readonly period?: string }
  readonly members: OfCommunity & Paged
  readonly memberCount: OfCommunity
  readonly activity: OfCommunity & Paged
}

/** What happens in the community domain. */
export interface CommunityEvents {
  /** Everything of this community may have changed. */
  readonly communityUpdated: OfCommunity
  readonly postCreated: OfCommunity
  readonly postUpdated: OfCommunity
  readonly postDeleted: OfCommunity
  readonly memberJoined: OfCommunity
  readonly memberLeft: OfCommunity
}

/** On everything that is about one community: invalidating it is the bulk invalidation of that community. */
const all = (id: Id): string => tagName('community', id)
const posts = (id: Id): string => tagName('community', id, 'posts')
const members = (id: Id): string => tagName('community', id, 'members')
const LIST = 'communities'
const TRENDING = 'communities:trending'

const postsChanged = ({ communityId }: OfCommunity): readonly string[] => [posts(communityId), TRENDING]
const membersChanged = ({ communityId }: OfCommunity): readonly string[] => [members(communityId)]

/**
 * Communities: their data, lists, posts and members.
 *
 * Joining and leaving do not touch lists and trending, which would then rarely be kept: member counts there are as old as
 * their lifetime, 5 min.
 */
export const community: Strategy<CommunityEntities, CommunityEvents> = defineStrategy<
  CommunityEntities,
  CommunityEvents
>({
  name: 'community',
  entities: {
    metadata: { ttl: '1h', by: ['communityId'], tags: ({ communityId }) => [all(communityId)] },
    config: { ttl: '1h', by: ['communityId'], tags: ({ communityId }) => [all(communityId)] },
    list: { ttl: '5m', by: [], popular: [{}], tags: () => [LIST] },
    posts: { ttl: '5m', by: ['communityId'], tags: ({ communityId }) => [all(communityId), posts(communityId)] },
    trending: { ttl: '5m', by: [], popular: [{}], tags: () => [TRENDING] },
    members: { ttl: '10m', by: ['communityId'], tags: ({ communityId }) => [all(communityId), members(communityId)] },
    memberCount: {
      ttl: '5m',
      by: ['communityId'],
      tags: ({ communityId }) => [all(communityId), members(communityId)],
    },
    activity: {
      ttl: '5m',
      by: ['communityId'],
      tags: ({ communityId }) => [all(communityId), posts(communityId), members(communityId)],
    },
  },
  events: {
    communityUpdated: ({ communityId }) => [all(communityId), LIST, TRENDING],
    postCreated: postsChanged,
    postUpdated: postsChanged,
    postDeleted: postsChanged,
    memberJoined: membersChanged,
    memberLeft: membersChanged,
  },
})

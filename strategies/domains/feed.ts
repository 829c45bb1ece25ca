import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

interface OfPost {
  readonly postId: Id
}

interface OfUser {
  readonly userId: Id
}

/** A conversation as one of its members sees it. */
interface OfConversation extends OfUser {
  readonly conversationId: Id
}

interface Paged {
  readonly page?: number
  readonly limit?: number
}

/** The entities of the feed domain and their arguments. */
export interface FeedEntities {
  /** A post with what is counted of it. */
  readonly post: OfPost
  readonly comments: OfPost & Paged
  readonly reactions: OfPost
  /** A page of what one user has subscribed to. */
  readonly feedPage: OfUser & Paged
  readonly conversation: OfConversation
  readonly messages: OfConversation & Paged
  readonly notifications: OfUser & Paged
  readonly unreadCount: OfUser
  readonly searchSuggestions: { readonly text: string; readonly limit?: number }
  readonly trending: { readonly limit?: number; readonly period?: string }
}

interface PostChanged extends OfPost {
  /** Whose feeds have the post. @default everybody's */
  readonly readerIds?: readonly Id[]
}

interface Notifying {
  /** Who is notified of it. @default nobody */
  readonly notifiedIds?: readonly Id[]
}

/** What happens in the feed domain. */
export interface FeedEvents {
  readonly postCreated: PostChanged
  readonly postUpdated: PostChanged
  readonly postDeleted: PostChanged
  readonly commentAdded: OfPost & Notifying
  readonly reactionChanged: OfPost & Notifying
  readonly messageSent: { readonly conversationId: Id } & Notifying
}

/** On everything that is about one post. */
const all = (id: Id): string => tagName('post', id)
const comments = (id: Id): string => tagName('post', id, 'comments')
const reactions = (id: Id): string => tagName('post', id, 'reactions')
const feedOf = (userId: Id): string => tagName('user', userId, 'feed')
const conversation = (id: Id): string => tagName('conversation', id)
const notifications = (userId: Id): string => tagName('user', userId, 'notifications')
const FEEDS = 'feeds'
const TRENDING = 'posts:trending'

const postChanged = ({ postId, readerIds }: PostChanged): readonly string[] => [
  all(postId),
  TRENDING,
  ...(readerIds?.map(feedOf) ?? [FEEDS]),
]

/**
 * Posts, comments, reactions, feeds, messages and notifications.
 *
 * Feeds, conversations and notifications are nobody else's. Comments and reactions do not touch feeds and trending, which would
 * then rarely be kept: what they count is as old as their lifetime. Search suggestions follow no event.
 */
export const feed: Strategy<FeedEntities, FeedEvents> = defineStrategy<FeedEntities, FeedEvents>({
  name: 'feed',
  entities: {
    post: { ttl: '30m', by: ['postId'], tags: ({ postId }) => [all(postId), comments(postId), reactions(postId)] },
    comments: { ttl: '10m', by: ['postId'], tags: ({ postId }) => [all(postId), comments(postId)] },
    reactions: { ttl: '30m', by: ['postId'], tags: ({ postId }) => [all(postId), reactions(postId)] },
    feedPage: { ttl: '15m', by: ['userId'], private: true, tags: ({ userId }) => [FEEDS, feedOf(userId)] },
    conversation: {
      ttl: '5m',
      by: ['userId', 'conversationId'],
      private: true,
      tags: ({ conversationId }) => [conversation(conversationId)],
    },
    messages: {
      ttl: '5m',
      by: ['userId', 'conversationId'],
      private: true,
      tags: ({ conversationId }) => [conversation(conversationId)],
    },
    notifications: { ttl: '1m', by: ['userId'], private: true, tags: ({ userId }) => [notifications(userId)] },
    unreadCount: { ttl: '1m', by: ['userId'], private: true, tags: ({ userId }) => [notifications(userId)] },
    searchSuggestions: { ttl: '10m', by: ['text'], tags: () => ['posts:suggestions'] },
    trending: { ttl: '5m', by: [], popular: [{}], tags: () => [TRENDING] },
  },
  events: {
    postCreated: postChanged,
    postUpdated: postChanged,
    postDeleted: postChanged,
    commentAdded: ({ postId, notifiedIds = [] }) => [comments(postId), ...notifiedIds.map(notifications)],
    reactionChanged: ({ postId, notifiedIds = [] }) => [reactions(postId), ...notifiedIds.map(notifications)],
    messageSent: ({ conversationId, notifiedIds = [] }) => [
      conversation(conversationId),
      ...notifiedIds.map(notifications),
    ],
  },
})

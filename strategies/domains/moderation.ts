import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

interface OfContent {
  readonly contentId: Id
}

interface OfUser {
  readonly userId: Id
}

/** The entities of the moderation domain and their arguments. */
export interface ModerationEntities {
  /** What was decided about a piece of content. */
  readonly result: OfContent
  readonly spamScore: OfContent
  readonly toxicity: OfContent
  readonly reputation: OfUser
}

/** What happens in the moderation domain. */
export interface ModerationEvents {
  readonly contentEdited: OfContent
  /** An appeal of this user about this content. */
  readonly appealDecided: OfContent & OfUser
}

const content = (id: Id): string => tagName('content', id, 'moderation')
const reputation = (userId: Id): string => tagName('user', userId, 'reputation')

/**
 * What is thought of content and of its authors. It is for moderators: on routes say who they are with a `scope`.
 *
 * An edit makes all that was found out about the content wrong, the decision on an appeal also the reputation of its author.
 */
export const moderation: Strategy<ModerationEntities, ModerationEvents> = defineStrategy<
  ModerationEntities,
  ModerationEvents
>({
  name: 'moderation',
  entities: {
    result: { ttl: '30m', by: ['contentId'], private: true, tags: ({ contentId }) => [content(contentId)] },
    spamScore: { ttl: '30m', by: ['contentId'], private: true, tags: ({ contentId }) => [content(contentId)] },
    toxicity: { ttl: '30m', by: ['contentId'], private: true, tags: ({ contentId }) => [content(contentId)] },
    reputation: { ttl: '1h', by: ['userId'], private: true, tags: ({ userId }) => [reputation(userId)] },
  },
  events: {
    contentEdited: ({ contentId }) => [content(contentId)],
    appealDecided: ({ contentId, userId }) => [content(contentId), reputation(userId)],
  },
})

export { type EntityMethod } from './bound-entity.ts'
export { type CacheAsideOptions, cacheAside } from './cache-aside.ts'
export type { CachedLoader } from './cached-loader.ts'
export { type AdminEntities, type AdminEvents, admin } from './domains/admin.ts'
export { type AiResponseEntities, type AiResponseEvents, aiResponse } from './domains/ai-response.ts'
export { type BuildEntities, type BuildEvents, build } from './domains/build.ts'
export { type CommunityEntities, type CommunityEvents, community } from './domains/community.ts'
export { type FeedEntities, type FeedEvents, feed } from './domains/feed.ts'
export { type GuildAnalyticsEntities, type GuildAnalyticsEvents, guildAnalytics } from './domains/guild-analytics.ts'
export { type MarketplaceEntities, type MarketplaceEvents, marketplace } from './domains/marketplace.ts'
export { type ModerationEntities, type ModerationEvents, moderation } from './domains/moderation.ts'
export { type UserEntities, type UserEvents, user } from './domains/user.ts'
export { type VotingEntities, type VotingEvents, voting } from './domains/voting.ts'
export type { EntityDefinition } from './entity.ts'
export type { EventDefinition } from './events.ts'
export { type Id, tagName } from './names.ts'
export { type RefreshAheadOptions, refreshAhead } from './refresh-ahead.ts'
export type { RoutePolicy } from './route-policy.ts'
export { type StaleWhileRevalidateOptions, staleWhileRevalidate } from './stale-while-revalidate.ts'
export {
  type BoundStrategy,
  defineStrategy,
  type Loaders,
  type ManyLoaders,
  type Strategy,
  type StrategyDefinition,
  type StrategyOptions,
} from './strategy.ts'
export type { QueueStats, Replayed } from './write-behind/backlog.ts'
export type { SaveContext, WriteBehindOptions } from './write-behind/options.ts'
export { type DeadLetter, type WriteBehind, type Written, writeBehind } from './write-behind.ts'
export { type WriteThroughOptions, type WrittenLoader, writeThrough } from './write-through.ts'

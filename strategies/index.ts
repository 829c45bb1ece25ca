export { type CacheAsideOptions, type CachedLoader, cacheAside } from './cache-aside.ts'
export { type CommunityEntities, type CommunityEvents, community } from './domains/community.ts'
export { type UserEntities, type UserEvents, user } from './domains/user.ts'
export { type VotingEntities, type VotingEvents, voting } from './domains/voting.ts'
export {
  type BoundStrategy,
  defineStrategy,
  type EntityDefinition,
  type Id,
  type Loaders,
  type RoutePolicy,
  type Strategy,
  type StrategyDefinition,
  type StrategyOptions,
  tagName,
} from './strategy.ts'

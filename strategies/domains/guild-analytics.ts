import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

interface OfGuild {
  readonly guildId: Id
}

/** What is computed of one guild from a day, or an instant, on. */
interface Since extends OfGuild {
  readonly since: Id
}

/** The entities of the guild analytics domain and their arguments. */
export interface GuildAnalyticsEntities {
  /** Members who begin to write and send nothing. */
  readonly ghosts: Since
  /** Members who are there and never write. */
  readonly lurkers: Since
  /** Messages by hour and day. */
  readonly heatmap: Since
  readonly roles: Since
  /** What members use: desktop, mobile, web. */
  readonly clients: Since
  /** When members come and go. */
  readonly shifts: Since
}

/** What happens in a guild. */
export interface GuildAnalyticsEvents {
  readonly messageCreated: OfGuild
  readonly typing: OfGuild
  readonly presenceUpdated: OfGuild
  readonly roleChanged: OfGuild
}

type Analysis = keyof GuildAnalyticsEntities

/** On everything of one guild: invalidating it is the bulk invalidation of that guild. */
const all = (guildId: Id): string => tagName('guild', guildId)
/** On one analysis of every guild. */
const every = (analysis: Analysis): string => tagName('analytics', analysis)
const one = (analysis: Analysis, guildId: Id): string => tagName('analytics', analysis, guildId)

function tagsOf(analysis: Analysis): (ids: OfGuild) => readonly string[] {
  return ({ guildId }) => [all(guildId), every(analysis), one(analysis, guildId)]
}

/** An event of a guild makes these analyses of it wrong. */
function touching(...analyses: readonly Analysis[]): (event: OfGuild) => readonly string[] {
  return ({ guildId }) => analyses.map((analysis) => one(analysis, guildId))
}

/**
 * What the members of a guild do. Keys are `analytics:{type}:{guildId}:{since}`, without a version; give `since` as a day or a
 * rounded instant, or no two calls share a key.
 */
export const guildAnalytics: Strategy<GuildAnalyticsEntities, GuildAnalyticsEvents> = defineStrategy<
  GuildAnalyticsEntities,
  GuildAnalyticsEvents
>({
  name: 'analytics',
  version: false,
  entities: {
    ghosts: { ttl: '5m', by: ['guildId', 'since'], tags: tagsOf('ghosts') },
    lurkers: { ttl: '5m', by: ['guildId', 'since'], tags: tagsOf('lurkers') },
    heatmap: { ttl: '15m', by: ['guildId', 'since'], tags: tagsOf('heatmap') },
    roles: { ttl: '10m', by: ['guildId', 'since'], tags: tagsOf('roles') },
    clients: { ttl: '2m', by: ['guildId', 'since'], tags: tagsOf('clients') },
    shifts: { ttl: '5m', by: ['guildId', 'since'], tags: tagsOf('shifts') },
  },
  events: {
    messageCreated: touching('ghosts', 'lurkers', 'heatmap'),
    typing: touching('ghosts'),
    presenceUpdated: touching('lurkers', 'clients', 'shifts'),
    roleChanged: touching('roles'),
  },
})

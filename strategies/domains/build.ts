import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

interface OfUser {
  readonly userId: Id
}

interface Paged {
  readonly page?: number
  readonly limit?: number
}

/** The entities of the build domain and their arguments. */
export interface BuildEntities {
  /** Builds, filtered. */
  readonly listings: Paged & { readonly filters?: Readonly<Record<string, unknown>>; readonly sort?: string }
  /** One build with what is counted of it. */
  readonly details: { readonly buildId: Id }
  /** The classes that builds are made for. */
  readonly classes: { readonly limit?: number }
  /** The builds that one user has made, drafts included. */
  readonly userBuilds: OfUser & Paged
  /** The builds that one user likes. */
  readonly likedBuilds: OfUser & Paged
}

/** A build and its author. */
interface OfBuild extends OfUser {
  readonly buildId: Id
}

/** What happens in the build domain. */
export interface BuildEvents {
  readonly buildCreated: OfBuild
  readonly buildUpdated: OfBuild
  readonly buildDeleted: OfBuild
  /** A user likes a build, or no longer. */
  readonly liked: OfBuild
}

const details = (buildId: Id): string => tagName('build', buildId)
const userBuilds = (userId: Id): string => tagName('user', userId, 'builds')
const likedBuilds = (userId: Id): string => tagName('user', userId, 'liked-builds')
const LISTINGS = 'builds'
const CLASSES = 'builds:classes'
/** On the liked builds of everybody: who likes a build is not known where it changes. */
const LIKED = 'builds:liked'

const buildChanged = ({ buildId, userId }: OfBuild): readonly string[] => [
  details(buildId),
  LISTINGS,
  userBuilds(userId),
  LIKED,
]

/**
 * Builds that users share: listings, details, classes, and each user's own and liked ones.
 *
 * What everybody sees is stale-while-revalidate: for as long again as its lifetime the old page is answered at once while one load
 * brings the new one, so that visitors wait only for what nobody has asked for in that time. A like does not touch listings, which
 * would then rarely be kept; classes follow no event.
 */
export const build: Strategy<BuildEntities, BuildEvents> = defineStrategy<BuildEntities, BuildEvents>({
  name: 'build',
  entities: {
    listings: { ttl: '5m', stale: '5m', by: [], popular: [{}], tags: () => [LISTINGS] },
    details: { ttl: '5m', stale: '5m', by: ['buildId'], tags: ({ buildId }) => [details(buildId)] },
    classes: { ttl: '10m', stale: '10m', by: [], popular: [{}], tags: () => [CLASSES] },
    userBuilds: { ttl: '5m', by: ['userId'], private: true, tags: ({ userId }) => [userBuilds(userId)] },
    likedBuilds: { ttl: '5m', by: ['userId'], private: true, tags: ({ userId }) => [LIKED, likedBuilds(userId)] },
  },
  events: {
    buildCreated: ({ userId }) => [LISTINGS, userBuilds(userId)],
    buildUpdated: buildChanged,
    buildDeleted: buildChanged,
    liked: ({ buildId, userId }) => [details(buildId), likedBuilds(userId)],
  },
})

import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

interface OfListing {
  readonly listingId: Id
}

/** The entities of the marketplace domain and their arguments. */
export interface MarketplaceEntities {
  readonly listing: OfListing
  /** Listings found. */
  readonly search: {
    readonly text?: string
    readonly filters?: Readonly<Record<string, unknown>>
    readonly sort?: string
    readonly page?: number
    readonly limit?: number
  }
}

/** What happens in the marketplace domain. */
export interface MarketplaceEvents {
  /** A listing is new, changed, or taken down. */
  readonly listingUpdated: OfListing
  readonly listingSold: OfListing
}

const listing = (id: Id): string => tagName('listing', id)
const SEARCHES = 'listings'

const listingChanged = ({ listingId }: OfListing): readonly string[] => [listing(listingId), SEARCHES]

/** Listings and searches for them. What is sold is found by nobody any more: each change of a listing makes all searches wrong. */
export const marketplace: Strategy<MarketplaceEntities, MarketplaceEvents> = defineStrategy<
  MarketplaceEntities,
  MarketplaceEvents
>({
  name: 'marketplace',
  entities: {
    listing: { ttl: '15m', by: ['listingId'], tags: ({ listingId }) => [listing(listingId)] },
    search: { ttl: '5m', by: [], popular: [{}], tags: () => [SEARCHES] },
  },
  events: { listingUpdated: listingChanged, listingSold: listingChanged },
})

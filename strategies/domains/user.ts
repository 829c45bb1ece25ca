import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

interface OfUser {
  readonly userId: Id
}

interface Paged {
  readonly page?: number
  readonly limit?: number
}

/** The entities of the user domain and their arguments. */
export interface UserEntities {
  readonly user: OfUser
  readonly profile: OfUser
  readonly friends: OfUser & Paged
  readonly settings: OfUser
  readonly preferences: OfUser
  /** What a user may do in one community. */
  readonly permissions: OfUser & { readonly communityId: Id }
  readonly sessions: OfUser
  readonly activity: OfUser & Paged
  /** The communities a user belongs to, and as what. */
  readonly memberships: OfUser & Paged
  /** Whose wallet an address is. Addresses compare exactly: write those that ignore case in one way. */
  readonly wallet: { readonly address: string }
}

/** What happens in the user domain. */
export interface UserEvents {
  /** Everything of this user may have changed; name the wallets that were added or removed. */
  readonly userUpdated: OfUser & { readonly wallets?: readonly string[] }
  /** Name the friend too when friendship is mutual. */
  readonly friendsChanged: OfUser & { readonly friendId?: Id }
  readonly roleChanged: OfUser & { readonly communityId: Id }
}

/** On everything that is about one user. */
const all = (id: Id): string => tagName('user', id)
const friends = (id: Id): string => tagName('user', id, 'friends')
const memberships = (id: Id): string => tagName('user', id, 'memberships')
const permissions = (id: Id, communityId: Id): string => tagName('user', id, 'permissions', communityId)
const wallet = (address: Id): string => tagName('wallet', address)

/**
 * Users: account, profile, friends, settings, permissions, sessions, memberships, wallets.
 *
 * Settings, preferences, permissions, sessions and wallets are nobody else's: on routes say who may share them,
 * `cacheRoute({ ...user.settings, scope: (req) => req.user.id })`.
 * Activity follows no event of its own: it is as old as its lifetime, 5 min.
 */
export const user: Strategy<UserEntities, UserEvents> = defineStrategy<UserEntities, UserEvents>({
  name: 'user',
  entities: {
    user: { ttl: '1h', by: ['userId'], tags: ({ userId }) => [all(userId)] },
    profile: { ttl: '2h', by: ['userId'], tags: ({ userId }) => [all(userId)] },
    friends: { ttl: '30m', by: ['userId'], tags: ({ userId }) => [all(userId), friends(userId)] },
    settings: { ttl: '1h', by: ['userId'], private: true, tags: ({ userId }) => [all(userId)] },
    preferences: { ttl: '1h', by: ['userId'], private: true, tags: ({ userId }) => [all(userId)] },
    permissions: {
      ttl: '15m',
      by: ['userId', 'communityId'],
      private: true,
      tags: ({ userId, communityId }) => [all(userId), permissions(userId, communityId)],
    },
    sessions: {
      ttl: '24h',
      by: ['userId'],
      private: true,
      tags: ({ userId }) => [all(userId), tagName('user', userId, 'sessions')],
    },
    activity: { ttl: '5m', by: ['userId'], tags: ({ userId }) => [all(userId), tagName('user', userId, 'activity')] },
    memberships: { ttl: '30m', by: ['userId'], tags: ({ userId }) => [all(userId), memberships(userId)] },
    wallet: { ttl: '24h', by: ['address'], private: true, tags: ({ address }) => [wallet(address)] },
  },
  events: {
    userUpdated: ({ userId, wallets = [] }) => [all(userId), ...wallets.map(wallet)],
    friendsChanged: ({ userId, friendId }) => [friends(userId), ...(friendId === undefined ? [] : [friends(friendId)])],
    roleChanged: ({ userId, communityId }) => [permissions(userId, communityId), memberships(userId)],
  },
})

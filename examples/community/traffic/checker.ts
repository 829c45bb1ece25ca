import type { Change } from '../database/database.ts'
import { CATEGORIES } from '../database/words.ts'
import { resource } from '../resources.ts'
import type { ReadTarget } from './mix.ts'

/**
 * Knows which writes were acknowledged when, and judges bodies by it: one that is older than a write that it depends on, and
 * that was acknowledged before the read began, is wrong. What a body depends on is stated here a second time, apart from the
 * tags of the cache, so that a tag forgotten there is noticed here.
 */
export class Checker {
  readonly #acknowledged = new Map<string, Acknowledgement[]>()
  #events = 0

  /** A write's answer has arrived. */
  acknowledge({ writeSeq, touched }: Change): void {
    this.#events += 1
    for (const name of touched) {
      const list = this.#acknowledged.get(name) ?? []
      this.#acknowledged.set(name, list)
      insert(list, { writeSeq, event: this.#events })
    }
  }

  /** Call before a read is sent; the result goes to `judge`. */
  beginRead(): number {
    return this.#events
  }

  /** What is wrong with the body of a read, or undefined. */
  judge(read: { readonly target: ReadTarget; readonly body: unknown; readonly begunAt: number }): string | undefined {
    const { target, body, begunAt } = read
    const asOf = (body as { asOf?: unknown } | null)?.asOf
    if (typeof asOf !== 'number') return `${target.path}: the body does not say what it contains`
    for (const name of dependencies(target, body as Body)) {
      const list = this.#acknowledged.get(name) ?? []
      for (let index = list.length - 1; index >= 0; index--) {
        const { writeSeq, event } = list[index] as Acknowledgement
        if (writeSeq <= asOf) break
        if (event <= begunAt) return `${target.path}: as of ${asOf}, but ${name} was written at ${writeSeq}`
      }
    }
    return undefined
  }
}

/** The parts of bodies that name what they were made from. */
interface Body {
  readonly communities?: readonly { readonly id: number; readonly category?: string }[]
  readonly posts?: readonly { readonly id: number; readonly authorId: number; readonly communityId: number }[]
  readonly contributors?: readonly { readonly id: number }[]
  readonly newestMembers?: readonly { readonly id: number }[]
  readonly profile?: { readonly communities: readonly { readonly id: number }[] }
}

interface Acknowledgement {
  readonly writeSeq: number
  readonly event: number
}

/** Answers to concurrent writes arrive in any order; the list is kept in that of the writes. */
function insert(list: Acknowledgement[], acknowledgement: Acknowledgement): void {
  let index = list.length
  while (index > 0 && (list[index - 1] as Acknowledgement).writeSeq > acknowledgement.writeSeq) index -= 1
  list.splice(index, 0, acknowledgement)
}

function dependencies({ route, path }: ReadTarget, body: Body): readonly string[] {
  const id = /^\/\w+\/(\d+)/.exec(path)?.[1] ?? ''
  switch (route) {
    case 'GET /communities': {
      const category = /[?&]category=(\w+)/.exec(path)?.[1]
      return (category === undefined ? CATEGORIES : [category]).map(resource.category)
    }
    case 'GET /communities/trending':
      return [resource.recentPosts, ...(body.communities ?? []).map((community) => resource.community(community.id))]
    case 'GET /communities/:communityId':
      return [resource.community(id)]
    case 'GET /communities/:communityId/posts':
      return [
        resource.community(id),
        resource.communityPosts(id),
        ...(body.posts ?? []).flatMap((post) => [resource.post(post.id), resource.user(post.authorId)]),
      ]
    case 'GET /communities/:communityId/members/count':
      return [resource.communityMembers(id)]
    case 'GET /communities/:communityId/activity':
      return [
        resource.communityPosts(id),
        resource.communityMembers(id),
        ...[...(body.contributors ?? []), ...(body.newestMembers ?? [])].map((user) => resource.user(user.id)),
      ]
    case 'GET /users/:userId':
      return [resource.user(id)]
    case 'GET /users/:userId/profile':
      return [
        resource.user(id),
        resource.userPosts(id),
        resource.userMemberships(id),
        ...(body.profile?.communities ?? []).map((community) => resource.community(community.id)),
      ]
    case 'GET /users/:userId/posts':
      return [
        resource.user(id),
        resource.userPosts(id),
        ...(body.posts ?? []).flatMap((post) => [resource.post(post.id), resource.community(post.communityId)]),
      ]
    case 'GET /questions': {
      const status = /[?&]status=(\w+)/.exec(path)?.[1]
      return (status === undefined ? ['open', 'closed'] : [status]).map(resource.questionsWith)
    }
    case 'GET /questions/trending':
      return [resource.recentVotes]
    case 'GET /questions/:questionId':
      return [resource.question(id)]
    case 'GET /questions/:questionId/results':
      return [resource.question(id), resource.questionVotes(id)]
    default:
      throw new Error(`It is not stated what ${route} depends on.`)
  }
}

import { below, pick, type Random, seededRandom, weightedIndex, zipfShares } from '../../shared/random.ts'
import type { CommunityDatabase } from '../database/database.ts'
import { CATEGORIES } from '../database/words.ts'
import type { ClientRequest } from './client.ts'

/** A URL of the mix, and the route whose handler answers it. */
export interface ReadTarget {
  readonly route: string
  readonly path: string
}

export type Step =
  | { readonly kind: 'read'; readonly target: ReadTarget }
  | { readonly kind: 'write'; readonly request: ClientRequest; readonly createsPost: boolean }

/** What there is to ask for. */
export interface Shape {
  readonly communities: number
  readonly users: number
  readonly posts: number
  readonly questions: number
  /** Open questions that the mix leaves open, with their options. */
  readonly ballots: readonly { readonly question: number; readonly options: readonly number[] }[]
}

export interface Mix {
  readonly targets: readonly ReadTarget[]
  readonly next: () => Step
  /** Tell of a post that the mix created, so that a later write may delete it. */
  readonly created: (post: number) => void
}

export function shapeOf(database: CommunityDatabase): Shape {
  const count = (table: string): number =>
    database.get<{ rows: number }>(`SELECT count(*) AS rows FROM ${table}`)?.rows ?? 0
  const questions = count('questions')
  const options = new Map<number, number[]>()
  const rows = database.all<{ question: number; id: number }>(
    `SELECT o.question_id AS question, o.id FROM options o JOIN questions q ON q.id = o.question_id
     WHERE q.status = 'open' AND q.id <= ? ORDER BY o.id`,
    [questions - switchedQuestions(questions)],
  )
  for (const { question, id } of rows) options.set(question, [...(options.get(question) ?? []), id])
  return {
    communities: count('communities'),
    users: count('users'),
    posts: count('posts'),
    questions,
    ballots: Array.from(options, ([question, ids]) => ({ question, options: ids })),
  }
}

/**
 * Reads of about 3,000 URLs (with a full-size database), popular ones far more often than others, and a share of writes. The
 * same seed gives the same steps.
 */
export function trafficMix(options: { readonly shape: Shape; readonly seed: number; readonly writes: number }): Mix {
  const { shape, seed, writes } = options
  const random = seededRandom(seed)
  const { targets, weights } = readTargets(shape)
  const drawTarget = weightedIndex(weights)
  const drawWrite = weightedIndex(WRITES.map(({ weight }) => weight))
  const context: WriteContext = {
    random,
    shape,
    ownPosts: [],
    community: zipfRank(random, shape.communities),
    user: zipfRank(random, shape.users),
    ballot: zipfRank(random, shape.ballots.length),
  }
  return {
    targets,
    next: () => {
      if (random() >= writes) return { kind: 'read', target: targets[drawTarget(random)] as ReadTarget }
      const { make, createsPost } = WRITES[drawWrite(random)] as WriteKind
      return { kind: 'write', request: make(context), createsPost: createsPost === true }
    },
    created: (post) => {
      context.ownPosts.push(post)
    },
  }
}

/** The paths of one route, from the most popular to the least, and the route's share of all reads. */
interface RouteTargets {
  readonly route: string
  readonly share: number
  readonly paths: readonly string[]
}

function readTargets(shape: Shape): { readonly targets: readonly ReadTarget[]; readonly weights: readonly number[] } {
  const communities = (limit: number): readonly number[] => upTo(Math.min(limit, shape.communities))
  const users = (limit: number): readonly number[] => upTo(Math.min(limit, shape.users))
  const questions = (limit: number): readonly number[] => upTo(Math.min(limit, shape.questions))
  const routes: readonly RouteTargets[] = [
    { route: 'GET /communities', share: 10, paths: communityLists() },
    { route: 'GET /communities/trending', share: 4, paths: ['/communities/trending'] },
    { route: 'GET /communities/:communityId', share: 14, paths: communities(240).map((id) => `/communities/${id}`) },
    {
      route: 'GET /communities/:communityId/posts',
      share: 24,
      paths: communities(150).flatMap((id) =>
        ['', '?sort=top', '?page=2', '?page=3'].map((query) => `/communities/${id}/posts${query}`),
      ),
    },
    {
      route: 'GET /communities/:communityId/members/count',
      share: 10,
      paths: communities(240).map((id) => `/communities/${id}/members/count`),
    },
    {
      route: 'GET /communities/:communityId/activity',
      share: 5,
      paths: communities(240).map((id) => `/communities/${id}/activity`),
    },
    { route: 'GET /users/:userId', share: 9, paths: users(500).map((id) => `/users/${id}`) },
    { route: 'GET /users/:userId/profile', share: 8, paths: users(400).map((id) => `/users/${id}/profile`) },
    { route: 'GET /users/:userId/posts', share: 3, paths: users(200).map((id) => `/users/${id}/posts`) },
    { route: 'GET /questions', share: 3, paths: ['/questions', '/questions?status=open', '/questions?status=closed'] },
    { route: 'GET /questions/trending', share: 2, paths: ['/questions/trending'] },
    { route: 'GET /questions/:questionId', share: 4, paths: questions(250).map((id) => `/questions/${id}`) },
    {
      route: 'GET /questions/:questionId/results',
      share: 4,
      paths: questions(250).map((id) => `/questions/${id}/results`),
    },
  ]
  const targets: ReadTarget[] = []
  const weights: number[] = []
  for (const { route, share, paths } of routes) {
    zipfShares(paths.length).forEach((part, rank) => {
      targets.push({ route, path: paths[rank] as string })
      weights.push(share * part)
    })
  }
  return { targets, weights }
}

function communityLists(): readonly string[] {
  const unfiltered = ['/communities', '/communities?sort=newest', '/communities?page=2', '/communities?sort=name']
  const filtered = CATEGORIES.flatMap((category) =>
    ['', '&sort=newest', '&sort=name'].map((query) => `/communities?category=${category}${query}`),
  )
  const further = ['popular', 'newest', 'name'].flatMap((sort) =>
    [2, 3, 4, 5].map((page) => `/communities?sort=${sort}&page=${page}`),
  )
  return [...unfiltered, ...filtered, ...further]
}

interface WriteContext {
  readonly random: Random
  readonly shape: Shape
  readonly ownPosts: number[]
  readonly community: () => number
  readonly user: () => number
  readonly ballot: () => number
}

interface WriteKind {
  readonly weight: number
  readonly make: (context: WriteContext) => ClientRequest
  readonly createsPost?: boolean
}

const createPost = ({ random, community, user }: WriteContext): ClientRequest => ({
  method: 'POST',
  path: `/communities/${community()}/posts`,
  body: { authorId: user(), title: `News ${below(random, 1_000_000)}`, body: 'Written by the traffic run.' },
})

const WRITES: readonly WriteKind[] = [
  {
    weight: 40,
    make: ({ random, shape, user, ballot }) => {
      const { question, options } = shape.ballots[ballot() - 1] as Shape['ballots'][number]
      return {
        method: 'POST',
        path: `/questions/${question}/votes`,
        body: { userId: user(), optionId: pick(random, options) },
      }
    },
  },
  {
    weight: 12,
    make: ({ random, shape, community }) => ({
      method: 'POST',
      path: `/communities/${community()}/members`,
      body: { userId: 1 + below(random, shape.users) },
    }),
  },
  {
    weight: 8,
    make: ({ community, user }) => ({ method: 'DELETE', path: `/communities/${community()}/members/${user()}` }),
  },
  { weight: 14, make: createPost, createsPost: true },
  {
    weight: 5,
    make: (context) => {
      const post = context.ownPosts.shift()
      // Nothing of ours is left to delete: a request without effect, but for its answer.
      return post === undefined
        ? { method: 'DELETE', path: `/communities/${context.community()}/members/${context.user()}` }
        : { method: 'DELETE', path: `/posts/${post}` }
    },
  },
  {
    weight: 12,
    make: ({ random, shape }) => ({
      method: 'PATCH',
      // New posts are the ones people see and correct.
      path: `/posts/${shape.posts - Math.floor(Math.min(shape.posts, 4_000) * random() ** 2)}`,
      body: { title: `Corrected ${below(random, 1_000_000)}` },
    }),
  },
  {
    weight: 6,
    make: ({ random, user }) => ({
      method: 'PATCH',
      path: `/users/${user()}`,
      body: { name: `Renamed ${below(random, 1_000_000)}` },
    }),
  },
  {
    weight: 1,
    make: ({ random, community }) => ({
      method: 'PATCH',
      path: `/communities/${community()}`,
      body: { description: `Rewritten ${below(random, 1_000_000)}.` },
    }),
  },
  {
    weight: 2,
    make: ({ random, shape }) => ({
      method: 'PATCH',
      path: `/questions/${shape.questions - below(random, switchedQuestions(shape.questions))}`,
      body: { status: pick(random, ['open', 'closed']) },
    }),
  },
]

/** How many questions, the last ones, are opened and closed by the mix and therefore not voted on. */
function switchedQuestions(questions: number): number {
  return Math.ceil(questions / 6)
}

/** Draws ranks from 1 to count, 1 the most often. */
function zipfRank(random: Random, count: number): () => number {
  const draw = weightedIndex(zipfShares(count))
  return () => draw(random) + 1
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}

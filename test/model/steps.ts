import fc from 'fast-check'

/** What happens next: time passes, then a client asks (or two at once), and this is what the handler does about it. */
export interface Step {
  /** Ms that pass before. */
  readonly wait: number
  readonly method: string
  /** Which resource. */
  readonly uri: number
  readonly asks: Asks
  /** A second request to the same resource at the same moment. */
  readonly beside: Asks | undefined
  readonly answer: Answering
  /** The resource has changed since the last time. */
  readonly changes: boolean
}

/** The request fields that matter. */
export interface Asks {
  readonly cacheControl: string | undefined
  readonly pragma: boolean
  readonly condition: Condition | undefined
  readonly range: string | undefined
  readonly ifRange: Validator | undefined
  readonly credentials: 'authorization' | 'cookie' | undefined
  readonly language: string | undefined
  readonly unit: string | undefined
  /** A GET with content. */
  readonly content: boolean
}

/** Something to recognise a version by: one that clients have seen (`pick` chooses), or anything else. */
export type Validator =
  | { readonly kind: 'tag' | 'date'; readonly pick: number }
  | { readonly kind: 'text'; readonly text: string }

export interface Condition {
  readonly name: 'If-None-Match' | 'If-Modified-Since' | 'If-Match' | 'If-Unmodified-Since'
  readonly validators: readonly Validator[]
  /** An `If-Modified-Since` beside it. */
  readonly since: Validator | undefined
}

/** How a resource usually answers; a step may say otherwise in each point. */
export interface Habit {
  readonly cacheControl: readonly string[]
  readonly vary: string | undefined
  readonly tag: 'strong' | 'weak' | 'invalid' | undefined
  readonly modified: boolean
}

export interface Answering {
  readonly status: number
  readonly habit: Partial<Habit>
  readonly expires: 'past' | 'invalid' | number | undefined
  /** Seconds by which `Date` differs from now; undefined: no `Date`. */
  readonly date: number | undefined
  readonly age: string | undefined
  readonly setCookie: boolean
  readonly targeted: readonly [name: string, value: string] | undefined
  readonly location: string | undefined
  /** It evaluates conditions (RFC 9110 s. 13) or ranges as a server should. */
  readonly conditions: boolean
  readonly ranges: boolean
  readonly style: 'end' | 'writes' | 'declared' | 'head'
  readonly fails: 'throws' | 'short' | 'destroyed' | undefined
  /** Ms that the handler takes. */
  readonly takes: number
  /** A write to the same resource is answered before this answer begins. */
  readonly overtaken: boolean
}

/** A whole story: the habits of the resources and what happens. */
export interface Story {
  readonly profile: 'safe' | 'rfc'
  readonly habits: readonly Habit[]
  readonly steps: readonly Step[]
}

/** The resources, as paths. */
export const URIS = ['/r0', '/r1', '/r0?q=1'] as const

type Weighted<T> = readonly (readonly [weight: number, value: T])[]

/** One of these; a failing story shrinks to the first. */
function weighted<T>(choices: Weighted<T>): fc.Arbitrary<T> {
  return fc.oneof(
    { withCrossShrink: true },
    ...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })),
  )
}

/** Mostly nothing. */
function seldom<T>(arbitrary: fc.Arbitrary<T>, one: number): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: one - 1, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary },
  )
}

/** This, but for one point. */
function oneChange<T extends object>(
  base: T,
  points: { readonly [K in keyof T]: fc.Arbitrary<T[K]> },
): fc.Arbitrary<T> {
  const changes = Object.entries(points) as [string, fc.Arbitrary<unknown>][]
  return fc.oneof(...changes.map(([name, point]) => point.map((value) => ({ ...base, [name]: value }))))
}

function flag(one: number): fc.Arbitrary<boolean> {
  return weighted([
    [one - 1, false],
    [1, true],
  ])
}

const validator: fc.Arbitrary<Validator> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('tag' as const), pick: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.constantFrom('"zzz"', 'W/"zzz"', '""').map((text) => ({ kind: 'text' as const, text })) },
)

const instant: fc.Arbitrary<Validator> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('date' as const), pick: fc.nat(7) }) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('Thu, 01 Jan 1998 00:00:00 GMT', 'Fri, 20 Nov 2026 23:00:00 GMT', 'yesterday')
      .map((text) => ({ kind: 'text' as const, text })),
  },
)

const condition: fc.Arbitrary<Condition> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      name: fc.constant('If-None-Match' as const),
      validators: fc.array(validator, { minLength: 1, maxLength: 2 }),
      since: seldom(instant, 5),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constant({
      name: 'If-None-Match' as const,
      validators: [{ kind: 'text' as const, text: '*' }],
      since: undefined,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      name: fc.constant('If-Modified-Since' as const),
      validators: fc.tuple(instant),
      since: fc.constant(undefined),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      name: fc.constant('If-Match' as const),
      validators: fc.tuple(validator),
      since: fc.constant(undefined),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      name: fc.constant('If-Unmodified-Since' as const),
      validators: fc.tuple(instant),
      since: fc.constant(undefined),
    }),
  },
)

/** What requests may say, point by point. */
const asking = {
  cacheControl: weighted<string | undefined>([
    [40, undefined],
    [3, 'no-cache'],
    [2, 'no-store'],
    [2, 'max-age=0'],
    [1, 'max-age=5'],
    [1, 'max-age=30'],
    [1, 'max-age=x'],
    [1, 'min-fresh=5'],
    [1, 'min-fresh=30'],
    [1, 'max-stale'],
    [1, 'max-stale=5'],
    [1, 'max-stale=60'],
    [1, 'max-stale=60, max-age=30'],
    [1, 'only-if-cached'],
    [1, 'only-if-cached, max-stale'],
    [1, 'stale-if-error=60'],
    [1, 'no-cache, no-store'],
    [1, 'No-Cache'],
  ]),
  pragma: flag(40),
  condition: seldom(condition, 5),
  range: weighted<string | undefined>([
    [12, undefined],
    [4, 'bytes=0-4'],
    [1, 'bytes=5-'],
    [1, 'bytes=-3'],
    [1, 'bytes=0-1,4-5'],
    [1, 'bytes=0-0,-1'],
    [1, 'bytes=99-'],
    [1, 'bytes=5-2'],
    [1, 'lines=0-1'],
  ]),
  ifRange: seldom(fc.oneof(validator, instant), 3),
  credentials: weighted<Asks['credentials']>([
    [20, undefined],
    [2, 'authorization'],
    [3, 'cookie'],
  ]),
  language: weighted<string | undefined>([
    [4, undefined],
    [3, 'de'],
    [3, 'en'],
    [1, 'DE'],
    [1, 'de, en'],
    [1, 'de,en'],
    [1, ''],
  ]),
  unit: weighted<string | undefined>([
    [6, undefined],
    [2, 'm'],
    [1, 'M'],
    [1, 'ft, m'],
    [1, 'ft,m'],
  ]),
  content: flag(60),
} satisfies { [K in keyof Asks]: fc.Arbitrary<Asks[K]> }

/** The plainest request there is. */
export const PLAIN: Asks = {
  cacheControl: undefined,
  pragma: false,
  condition: undefined,
  range: undefined,
  ifRange: undefined,
  credentials: undefined,
  language: undefined,
  unit: undefined,
  content: false,
}

const asks: fc.Arbitrary<Asks> = fc.oneof(
  { withCrossShrink: true },
  { weight: 3, arbitrary: fc.constant(PLAIN) },
  { weight: 3, arbitrary: oneChange(PLAIN, asking) },
  { weight: 3, arbitrary: fc.record(asking) },
)

const cacheControl: fc.Arbitrary<readonly string[]> = weighted<readonly string[]>([
  [12, ['max-age=10']],
  [12, ['max-age=30']],
  [4, ['public, max-age=30']],
  [3, []],
  [2, ['max-age=0']],
  [2, ['max-age=10, must-revalidate']],
  [2, ['s-maxage=10, max-age=100']],
  [1, ['s-maxage=30']],
  [1, ['max-age=10, proxy-revalidate']],
  [3, ['no-cache']],
  [1, ['no-cache, max-age=30']],
  [2, ['no-store']],
  [1, ['no-store', 'max-age=30']],
  [2, ['private, max-age=30']],
  [2, ['max-age=30, private="X-Extra"']],
  [2, ['max-age=30, no-cache="X-Extra"']],
  [1, ['max-age=30, no-cache="Set-Cookie, X-Extra"']],
  [1, ['max-age=30, private="set-cookie"']],
  [1, ['public']],
  [1, ['public, no-cache']],
  [1, ['private=""', 'max-age=30']],
  [3, ['max-age=5, stale-while-revalidate=30']],
  [1, ['s-maxage=5, stale-while-revalidate=30']],
  [1, ['stale-while-revalidate=30']],
  [3, ['max-age=5, stale-if-error=60']],
  [1, ['max-age=5, stale-if-error=60, must-revalidate']],
  [1, ['max-age=30, immutable']],
  [1, ['max-age=10, max-age=60']],
  [1, ['max-age=10', 'max-age=10']],
  [1, ['max-age="30"']],
  [1, ['max-age=30s']],
  [1, ['max-age =30']],
  [1, ['MAX-AGE=030']],
  [1, ['ext="no-store, max-age=0", max-age=30']],
  [1, ['no-store, must-understand, max-age=30']],
  [1, ['max-age=99999999999']],
])

const vary: fc.Arbitrary<string | undefined> = weighted<string | undefined>([
  [8, undefined],
  [4, 'Accept-Language'],
  [1, 'X-Unit'],
  [2, 'accept-language, X-Unit'],
  [1, 'Cookie'],
  [1, '*'],
  [1, 'X-Unit, *'],
])

const tag: fc.Arbitrary<Habit['tag']> = weighted<Habit['tag']>([
  [4, 'strong'],
  [3, 'weak'],
  [2, undefined],
  [1, 'invalid'],
])

const habit: fc.Arbitrary<Habit> = fc.record({ cacheControl, vary, tag, modified: fc.boolean() })

/** How handlers may answer, point by point. */
const answers = {
  status: weighted([
    [50, 200],
    [1, 203],
    [1, 204],
    [1, 301],
    [1, 302],
    [2, 304],
    [2, 404],
    [1, 410],
    [3, 500],
    [1, 501],
    [3, 503],
    [1, 504],
  ]),
  habit: fc
    .record({
      cacheControl: seldom(cacheControl, 4),
      vary: seldom(vary, 8),
      tag: seldom(tag, 8),
      modified: seldom(fc.boolean(), 8),
    })
    .map(
      (given) => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<Habit>,
    ),
  expires: weighted<Answering['expires']>([
    [20, undefined],
    [1, 'past'],
    [1, 'invalid'],
    [2, 20],
    [1, 100],
  ]),
  date: weighted<number | undefined>([
    [24, undefined],
    [2, 0],
    [2, -8],
    [1, -100],
    [1, 3_600],
  ]),
  age: weighted<string | undefined>([
    [24, undefined],
    [1, '0'],
    [2, '7'],
    [1, '100'],
    [1, 'abc'],
    [1, '7, 0'],
  ]),
  setCookie: flag(8),
  targeted: seldom(
    fc.constantFrom<readonly [string, string]>(
      ['Cachewell-Cache-Control', 'max-age=20'],
      ['Cachewell-Cache-Control', 'no-store'],
      ['Cachewell-Cache-Control', 'Max-Age=60'],
      ['Cachewell-Cache-Control', 'max-age="60"'],
      ['CDN-Cache-Control', 'max-age=20'],
      ['CDN-Cache-Control', 'private'],
    ),
    20,
  ),
  location: seldom(fc.constantFrom('/r1', 'http://shop.example/r0', '//other.example/r0', 'r0?q=1'), 6),
  conditions: weighted([
    [3, true],
    [1, false],
  ]),
  ranges: fc.boolean(),
  style: weighted<Answering['style']>([
    [3, 'end'],
    [1, 'writes'],
    [2, 'declared'],
    [1, 'head'],
  ]),
  fails: weighted<Answering['fails']>([
    [20, undefined],
    [2, 'throws'],
    [1, 'short'],
    [1, 'destroyed'],
  ]),
  takes: weighted([
    [16, 0],
    [1, 400],
    [1, 3_000],
    [1, 12_000],
  ]),
  overtaken: flag(25),
} satisfies { [K in keyof Answering]: fc.Arbitrary<Answering[K]> }

/** A resource as it usually answers. */
export const USUAL: Answering = {
  status: 200,
  habit: {},
  expires: undefined,
  date: undefined,
  age: undefined,
  setCookie: false,
  targeted: undefined,
  location: undefined,
  conditions: true,
  ranges: true,
  style: 'end',
  fails: undefined,
  takes: 0,
  overtaken: false,
}

const answering: fc.Arbitrary<Answering> = fc.oneof(
  { withCrossShrink: true },
  { weight: 2, arbitrary: fc.constant(USUAL) },
  { weight: 2, arbitrary: oneChange(USUAL, answers) },
  { weight: 2, arbitrary: fc.record(answers) },
)

const step: fc.Arbitrary<Step> = fc.record({
  wait: weighted([
    [12, 0],
    [1, 400],
    [2, 1_000],
    [2, 4_000],
    [2, 5_000],
    [1, 9_999],
    [2, 10_000],
    [1, 11_000],
    [2, 30_000],
    [1, 60_000],
    [1, 100_000],
  ]),
  method: weighted([
    [40, 'GET'],
    [4, 'HEAD'],
    [2, 'POST'],
    [1, 'PUT'],
    [1, 'DELETE'],
    [1, 'M-SEARCH'],
    [1, 'OPTIONS'],
  ]),
  uri: weighted([
    [6, 0],
    [2, 1],
    [1, 2],
  ]),
  asks,
  beside: seldom(asks, 10),
  answer: answering,
  changes: flag(4),
})

/** Stories of up to `length` steps. */
export function stories(length: number): fc.Arbitrary<Story> {
  return fc.record({
    profile: fc.constantFrom('rfc', 'safe'),
    habits: fc.tuple(habit, habit, habit),
    steps: fc.array(step, { minLength: 1, maxLength: length, size: 'max' }),
  })
}

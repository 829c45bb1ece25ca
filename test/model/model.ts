import {
  agesOf,
  type Entry,
  entryOf,
  fits,
  identifies,
  isBypassed,
  isCredentialed,
  isForEveryone,
  isFresh,
  lifetimeOf,
  nominated,
  policyOf,
  selects,
  selectsSurely,
  stalenessOf,
  updated,
} from './entries.ts'
import type { Exchange, Got, Profile, Run, Sent } from './history.ts'
import {
  type Directives,
  dateOf,
  directivesOf,
  fieldsNamed,
  linesOf,
  saysPlainly,
  secondsOf,
  tagOf,
  valueOf,
  without,
} from './parse.ts'
import { namesTag, type Whole, wrongWith } from './shapes.ts'

/** How an answer came about, as far as the model can tell. */
export type Kind = 'hit' | 'stale hit' | 'handler' | 'validated' | 'stand-in' | 'refused' | 'broken'

export interface Verdict {
  readonly kind: Kind
  /** The handler was not run, and that was its duty: the answer was there and fresh. */
  readonly due: boolean
}

/** What was wrong with an answer, in words. */
export class Violation extends Error {}

/** A write that was answered with success, and what it made wrong. */
interface Write {
  readonly run: number
  readonly uris: readonly string[]
  readonly headTick: number
  readonly ackTick: number
}

/** A request as far as it selects a response; without a tick it is the cache's own. */
type Asked = Pick<Sent, 'method' | 'uri' | 'fields'> & Partial<Pick<Sent, 'tick'>>

/** Statuses with which a handler has failed (STA-9). */
const FAILURES = [500, 502, 503, 504]

/** DF-5 */
const NOT_CHANGED = ['authorization', 'cookie', 'accept-language', 'x-unit']

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS']

/**
 * A cache that forgets nothing and chooses nothing: it knows all that a correct cache can hold after what happened, and says of
 * each answer whether the decision tables allow it. Written from the tables, without a thought for speed.
 */
export class Model {
  readonly #profile: Profile
  /** Everything that may be in the cache, oldest first. */
  readonly #entries: Entry[] = []
  /** What may not be. */
  readonly #unstored: { readonly run: Run; readonly why: string }[] = []
  readonly #writes: Write[] = []
  /** What a refresh has been tried for. */
  readonly #refreshed = new Set<string>()
  /** The last run for each URI. */
  readonly #last = new Map<string, { readonly run: Run; readonly sent: Asked | undefined }>()

  constructor(profile: Profile) {
    this.#profile = profile
  }

  /**
   * Judge the exchanges of one step, which ran at the same time, then take note of them. `background`: runs that nobody waits for.
   * @throws Violation when an answer is none that the tables allow
   */
  judge(exchanges: readonly Exchange[], background: readonly Run[]): Verdict[] {
    const instants = exchanges.flatMap(({ runs }) => runs.map((run) => run.respondedAt))
    const due = exchanges.map(({ sent }) => this.#mustHit(sent))
    const ended: { readonly run: Run; readonly sent: Asked; readonly got?: Got }[] = [
      ...exchanges.flatMap(({ sent, got, runs }) => runs.map((run) => ({ sent, got, run }))),
      ...background.map((run) => ({ run, sent: { method: run.method, uri: run.uri, fields: run.inner } })),
    ]
    for (const run of background) this.#checkRefresh(run)
    ended.sort((one, other) => one.run.headTick - other.run.headTick)
    const alone = exchanges.length === 1
    let found = exchanges.map((exchange) => this.#explain(exchange, instants))
    for (const { sent, got, run } of ended) {
      this.#learn(run, sent, got)
      // Who waited for another's run is answered from what that has left.
      found = found.map((known, index) => {
        const exchange = exchanges[index] as Exchange
        return typeof known === 'object' || (alone && exchange.runs.length > 0)
          ? known
          : this.#explain(exchange, instants)
      })
    }
    return exchanges.map(({ sent, runs }, index): Verdict => {
      const kind = found[index] ?? 'it was not looked at'
      if (typeof kind === 'string') throw new Violation(`request ${sent.id}: ${kind}`)
      const entry = due[index]
      if (entry !== undefined && alone && runs.length > 0) {
        throw new Violation(`request ${sent.id}: the handler ran, although ${entry.name} is there and fresh (DR-15)`)
      }
      if (alone && kind.kind === 'stale hit' && background.length === 0 && this.#mustRefresh(sent)) {
        throw new Violation(`request ${sent.id}: it was answered from a stale response that nothing refreshes (STA-6)`)
      }
      return { kind: kind.kind, due: entry !== undefined }
    })
  }

  /** A refresh is nobody's in particular (VAL-8). */
  #checkRefresh({ id, uri, inner }: Run): void {
    this.#refreshed.add(uri)
    const told = ['authorization', 'cookie'].find((name) => valueOf(inner, name) !== undefined)
    if (told === undefined) return
    const asked = this.#entries.some((entry) => entry.uri === uri && nominated(entry.fields).includes(told))
    if (!asked) throw new Violation(`run ${id}: a refresh carries a client's ${told} (VAL-8)`)
  }

  /** Has a stale answer to this request to be followed by a refresh: it was not asked for as such, and there was none before? */
  #mustRefresh(sent: Sent): boolean {
    const asked = requestDirectives(sent)
    // STA-8; STA-7: after a refresh that was in vain the next one may wait.
    return !asked.has('max-stale') && !asked.has('only-if-cached') && !this.#refreshed.has(sent.uri)
  }

  /** How the answer may have come about, or what is wrong with it. */
  #explain(exchange: Exchange, others: readonly number[]): { readonly kind: Kind } | string {
    const { sent, got, runs } = exchange
    const wrongStatus = wrongCacheStatus(exchange)
    if (wrongStatus !== undefined) return wrongStatus
    return runs.length === 0
      ? this.#explainKept(sent, got, [...new Set([sent.at, got.at, ...others])])
      : this.#explainRun(sent, got, runs, [...new Set([got.at, ...others])])
  }

  /** An answer without a run of the handler (table B). */
  #explainKept(sent: Sent, got: Got, instants: readonly number[]): { readonly kind: Kind } | string {
    const { method } = sent
    if (method !== 'GET' && method !== 'HEAD') return `a ${method} was answered without the handler (REU-4)`
    if (got.status === 504 && requestDirectives(sent).has('only-if-cached')) return { kind: 'refused' }
    if (!got.complete) return 'the answer broke off'
    const reasons: string[] = []
    const right: Entry[] = []
    let fresh = false
    for (const entry of this.#entries) {
      for (const now of instants) {
        const wrong = this.#forbidden(entry, sent, now) ?? wrongWith(got, this.#whole(entry, now, false), sent)
        if (wrong !== undefined) reasons.push(`${entry.name} at ${now}: ${wrong}`)
        else {
          right.push(entry)
          fresh ||= isFresh(entry, now, this.#profile)
        }
      }
    }
    const [oldest] = right
    if (oldest === undefined) {
      for (const { run, why } of this.#unstored) if (run.uri === sent.uri) reasons.push(`run ${run.id}: ${why}`)
      return `no stored response may give this answer:\n${listed(reasons)}`
    }
    this.#witness(oldest, sent, got.tick)
    return { kind: fresh ? 'hit' : 'stale hit' }
  }

  /** Why the tables do not let this entry answer this request as it is (table B); undefined when they do. */
  #forbidden(entry: Entry, sent: Asked, now: number): string | undefined {
    const profile = this.#profile
    const unfit = this.#unfit(entry, sent)
    if (unfit !== undefined) return unfit
    const { directives } = policyOf(entry.fields, profile)
    if (saysPlainly(directives, 'no-cache')) return 'DR-11 no-cache'
    const fresh = isFresh(entry, now, profile)
    const asked = profile === 'rfc' ? requestDirectives(sent) : NOTHING
    const [age] = agesOf(entry, now)
    if (saysPlainly(asked, 'no-cache')) return 'DR-12 request no-cache'
    const oldest = seconds(asked, 'max-age', 0)
    if (oldest !== undefined && !(fresh && directives.has('immutable')) && (oldest === 0 || age > oldest * 1_000)) {
      return 'DR-13 request max-age'
    }
    const margin = seconds(asked, 'min-fresh', undefined)
    const staleness = stalenessOf(entry, now, profile)
    if (margin !== undefined && -staleness < margin * 1_000) return 'DR-14 request min-fresh'
    if (fresh) return undefined
    if (isStaleForbidden(directives)) return 'DR-16 stale, and never to be used so'
    if (asked.has('max-stale')) {
      const most =
        asked.get('max-stale')?.[0] === undefined ? Number.POSITIVE_INFINITY : seconds(asked, 'max-stale', undefined)
      if (most !== undefined && staleness <= most * 1_000) return undefined
    }
    const meanwhile = secondsOf(directives, 'stale-while-revalidate', policyOf(entry.fields, profile).targeted)
    if (
      typeof meanwhile === 'number' &&
      staleness < meanwhile * 1_000 &&
      oldest === undefined &&
      margin === undefined
    ) {
      return undefined
    }
    return `DR-19 stale by ${staleness / 1_000} s`
  }

  /** Why this entry has nothing to do with this request, fresh or not; undefined when it has. `selected`: by something else. */
  #unfit(entry: Entry, sent: Asked, selected = selects(sent, entry)): string | undefined {
    if (isBypassed(sent)) return 'DR-1 bypass'
    if (entry.uri !== sent.uri) return 'DR-4 another URI'
    if (entry.headOnly && sent.method !== 'HEAD') return 'DR-5 an answer to HEAD'
    if (!selected) return 'DR-6 another variant'
    if (this.#profile === 'safe' && isCredentialed(sent, 'safe') && !isForEveryone(entry, 'safe'))
      return 'DR-8 credentials'
    const write = this.#writes.find(
      ({ uris, headTick, ackTick }) =>
        uris.includes(entry.uri) && entry.sinceTick <= headTick && ackTick < (sent.tick ?? Number.POSITIVE_INFINITY),
    )
    return write === undefined ? entry.spoiled : `INV-2 older than the write of run ${write.run}`
  }

  /** An answer with runs of the handler (table V). */
  #explainRun(
    sent: Sent,
    got: Got,
    runs: readonly Run[],
    instants: readonly number[],
  ): { readonly kind: Kind } | string {
    const { method } = sent
    const last = runs.at(-1) as Run
    const isRead = method === 'GET' || method === 'HEAD'
    // CCQ-8
    if (isRead && requestDirectives(sent).has('only-if-cached'))
      return 'the handler ran in spite of only-if-cached (CCQ-8)'
    // VAL-13: only a 304 that is of no use is asked for again.
    if (runs.length > (isRead ? 2 : 1) || runs.slice(0, -1).some((run) => run.status !== 304))
      return 'the handler ran twice'
    // Section 20: a HEAD may be passed on as a GET.
    if (runs.some((run) => run.method !== method && method !== 'HEAD')) return 'the handler saw another method'
    const changed = NOT_CHANGED.find((name) =>
      runs.some(({ inner }) => valueOf(inner, name) !== valueOf(sent.fields, name)),
    )
    if (changed !== undefined) return `the handler did not see the client's ${changed} (DF-5)`
    const own = this.#wrongWithOwn(sent, got, last)
    if (own === undefined) return { kind: 'handler' }
    if (!got.complete && last.broken) return { kind: 'broken' }
    const reasons = [`the handler's own answer: ${own}`]
    if (isRead && got.complete) {
      for (const entry of this.#entries) {
        for (const now of instants) {
          const wrong =
            last.status === 304
              ? this.#wrongAfter304(entry, sent, got, last, now)
              : this.#wrongStandIn(entry, sent, got, last, now)
          if (wrong === undefined) return { kind: last.status === 304 ? 'validated' : 'stand-in' }
          reasons.push(`${entry.name} at ${now}: ${wrong}`)
        }
      }
    }
    return `neither the handler's answer nor one from the cache:\n${listed(reasons)}`
  }

  /** Why the answer is not the handler's own, or what the client's condition and range make of it. */
  #wrongWithOwn(sent: Sent, got: Got, run: Run): string | undefined {
    if (run.status === 304 && !mayForward304(sent, run)) return 'its 304 is for the cache, not for the client (VAL-15)'
    if (run.status === 206 && valueOf(sent.fields, 'range') === undefined) return 'the client asked for no part'
    if (!got.complete) return 'it broke off'
    const { status, fields, body, respondedAt } = run
    return wrongWith(
      got,
      { status, fields, body, optional: [], age: undefined, ageNeeded: false, kept: false, receivedAt: respondedAt },
      sent,
    )
  }

  /** DV-1: answered from the entry that a 304 has updated. */
  #wrongAfter304(entry: Entry, sent: Sent, got: Got, run: Run, now: number): string | undefined {
    const unfit = this.#unfit(unspoiled(entry), sent, selects(sent, entry) || isAskedAbout(run, entry))
    if (unfit !== undefined) return unfit
    if (!isConditional(run.inner)) return 'VAL-16 the handler was asked without a condition'
    if (!identifies(run, entry)) return 'VAL-12 the 304 is about something else'
    const after = updated(entry, run, sent, this.#profile)
    const whole = this.#whole(after.entry, now, true)
    // HDR-5, CKI-4: what is not kept may go to the client that caused it.
    const extra = run.fields.filter(([name]) => linesOf(whole.fields, name).length === 0)
    return wrongWith(
      got,
      {
        ...whole,
        fields: [...whole.fields, ...extra],
        optional: [...whole.optional, ...extra.map(([name]) => name.toLowerCase())],
      },
      sent,
    )
  }

  /** DV-5: a stale entry in place of a failed handler. */
  #wrongStandIn(entry: Entry, sent: Sent, got: Got, run: Run, now: number): string | undefined {
    const profile = this.#profile
    if (!FAILURES.includes(run.status)) return `DV-7 ${run.status} is no failure to cover up`
    const unfit = this.#unfit(entry, sent)
    if (unfit !== undefined) return unfit
    const { directives, targeted } = policyOf(entry.fields, profile)
    if (entry.status >= 500) return 'a stored error stands in for nothing'
    const staleness = stalenessOf(entry, now, profile)
    if (saysPlainly(directives, 'no-cache') || (staleness >= 0 && isStaleForbidden(directives)))
      return 'DR-16 never to be used stale'
    const granted = secondsOf(directives, 'stale-if-error', targeted)
    const asked = profile === 'rfc' ? seconds(requestDirectives(sent), 'stale-if-error', undefined) : undefined
    const window = Math.max(typeof granted === 'number' ? granted : -1, asked ?? -1)
    const open = profile === 'rfc' && typeof granted !== 'number'
    if (!open && staleness >= 0 && staleness > window * 1_000) return `DV-6 stale by ${staleness / 1_000} s`
    return wrongWith(got, this.#whole(entry, now, false), sent)
  }

  /** An entry as what answers are made from. */
  #whole(entry: Entry, now: number, validated: boolean): Whole {
    const { directives, targeted } = policyOf(entry.fields, this.#profile)
    // HDR-6
    const withheld = fieldsNamed(directives, 'no-cache')
    const hidden = targeted ? fieldsNamed(directivesOf(valueOf(entry.fields, 'cache-control')), 'no-cache') : []
    const [least, most] = agesOf(entry, now)
    return {
      status: entry.status,
      fields: without(entry.fields, validated ? ['age'] : [...withheld, 'age']),
      body: entry.body,
      optional: [...withheld, ...hidden, ...entry.unkept],
      // What was just validated may be called new (AGE-8, 38.3).
      age: [validated ? 0 : least / 1_000, most / 1_000],
      ageNeeded: !validated,
      kept: true,
      receivedAt: entry.respondedAt,
    }
  }

  /** REU-12: an entry that was served has taken the place of those before it with the same `Vary` and the same values. */
  #witness(entry: Entry, sent: Sent, tick: number): void {
    for (const older of this.#entries.slice(0, this.#entries.indexOf(entry))) {
      if (older.uri === entry.uri && takesPlaceOf(entry, older, sent))
        retire(older, `REU-12 superseded by ${entry.name}`, tick)
    }
  }

  /** Take note of a run; without an answer it was one in the background, and the request is the cache's own. */
  #learn(run: Run, sent: Asked, got: Got | undefined): void {
    this.#last.set(run.uri, { run, sent: got === undefined ? undefined : sent })
    if (!SAFE_METHODS.includes(run.method)) {
      // DI-2, DI-3
      if (run.status >= 200 && run.status < 400 && got !== undefined) {
        const also = ['location', 'content-location'].flatMap((name) => linesOf(run.fields, name))
        const uris = [run.uri, ...also.flatMap((reference) => sameOrigin(reference, run.uri))]
        this.#writes.push({ run: run.id, uris, headTick: run.headTick, ackTick: got.tick })
      }
      return
    }
    if (isBypassed(sent) || run.method === 'OPTIONS') return
    const present = this.#entries.filter(
      ({ uri, madeTick, goneTick }) => uri === run.uri && madeTick < run.startedTick && run.startedTick < goneTick,
    )
    const candidates = present.filter((entry) => this.#isCandidate(entry, sent))
    if (run.status === 304) this.#learn304(run, sent, present, candidates)
    else if (run.method === 'HEAD') this.#learnHead(run, sent, candidates)
    else if (run.status < 500 && run.status !== 206 && run.status !== 416 && !run.broken && !saysNoStore(sent)) {
      // VAL-14: what was asked about, with or without a validator, is not to be used any more without asking (but STO-8).
      const first = this.#first(candidates)
      const asked =
        first !== undefined &&
        selectsSurely(sent, first) &&
        // STO-10: a request whose range went on to the handler has asked about nothing that is stored.
        valueOf(run.inner, 'range') === undefined &&
        (got === undefined || this.#forbidden(first, sent, run.startedAt) !== undefined)
      if (asked) first.spoiled ??= `VAL-14 run ${run.id} gave a full answer instead`
    }
    const inVain = got === undefined && run.status >= 500
    const entry = inVain ? 'STA-14 a refresh that failed' : entryOf(run, sent, this.#profile)
    if (typeof entry === 'string') this.#unstored.push({ run, why: entry })
    else this.#keep(entry)
  }

  /** Add an entry, unless nobody could tell it from one that is there. */
  #keep(entry: Entry): void {
    const same = this.#entries.find((known) => known.respondedAt === entry.respondedAt && isSame(known, entry))
    if (same === undefined) this.#entries.push(entry)
    else same.selectors.push(...entry.selectors)
  }

  #learn304(run: Run, sent: Asked, present: readonly Entry[], candidates: readonly Entry[]): void {
    if (!isConditional(run.inner)) return
    const named = candidates.filter((entry) => identifies(run, entry))
    // DR-6: of the other variants one may turn out to be right for this request, too.
    const others = present.filter(
      (entry) =>
        !candidates.includes(entry) &&
        isAskedAbout(run, entry) &&
        identifies(run, entry) &&
        this.#unfit(unspoiled(entry), sent, true) === undefined,
    )
    for (const entry of others) {
      const after = updated(entry, run, sent, this.#profile)
      // It may be kept for this request beside the other one.
      if (after.refused === undefined) {
        this.#keep(after.entry)
        this.#keep({ ...after.entry, selectors: [sent.fields] })
      }
    }
    // Where the condition is the client's own word for word, it may be that the cache kept out of it.
    const ours = ['if-none-match', 'if-modified-since'].some(
      (name) => valueOf(run.inner, name) !== undefined && valueOf(run.inner, name) !== valueOf(sent.fields, name),
    )
    const strong = tagOf(run.fields)?.startsWith('"') === true
    const certain = strong ? named : [this.#first(named)]
    for (const entry of named) {
      const after = updated(entry, run, sent, this.#profile)
      if (after.refused === undefined) this.#keep(after.entry)
      if (ours && certain.includes(entry) && selectsSurely(sent, entry)) {
        const why = after.refused === undefined ? '' : `, and to go: ${after.refused}`
        retire(entry, `VAL-12 updated by run ${run.id}${why}`, run.headTick)
      }
    }
  }

  /** VAL-20 */
  #learnHead(run: Run, sent: Asked, candidates: readonly Entry[]): void {
    if (run.status !== 200 || saysNoStore(sent)) return
    for (const entry of candidates.filter(({ headOnly }) => !headOnly)) {
      if (!fits(run, entry)) {
        if (selectsSurely(sent, entry)) entry.spoiled ??= `VAL-20 the HEAD of run ${run.id} says something else`
      } else {
        const after = updated(entry, run, sent, this.#profile)
        if (after.refused === undefined) this.#keep(after.entry)
      }
    }
  }

  /** Could the request have selected it, were it fresh (VAL-11)? */
  #isCandidate(entry: Entry, sent: Asked): boolean {
    if (entry.uri !== sent.uri || (entry.headOnly && sent.method !== 'HEAD') || !selects(sent, entry)) return false
    return !(this.#profile === 'safe' && isCredentialed(sent, 'safe') && !isForEveryone(entry, 'safe'))
  }

  /** DR-7: the one that was chosen, if any was: newest by every count, and none with `Vary` beside it. */
  #first(candidates: readonly Entry[]): Entry | undefined {
    const newest = candidates.at(-1)
    if (newest === undefined) return undefined
    const isFirst = candidates.every((other) => other === newest || !mayComeFirst(other, newest))
    return isFirst ? newest : undefined
  }

  /** The entry that any cache must answer this request from: plain request, plain response, nothing since. */
  #mustHit(sent: Sent): Entry | undefined {
    const last = this.#last.get(sent.uri)
    const entry = this.#entries.findLast(({ uri }) => uri === sent.uri)
    if (last?.sent === undefined || entry === undefined || entry.name !== `run ${last.run.id}`) return undefined
    if (!isPlain(sent) || !isPlain(last.sent) || sent.method !== 'GET' || last.run.method !== 'GET') return undefined
    const { run } = last
    const told = linesOf(run.fields, 'cache-control')
    if (run.status !== 200 || told.length !== 1 || !/^(public, )?max-age=\d+$/.test(told[0] ?? '')) return undefined
    const odd = ['age', 'date', 'expires', 'set-cookie', 'pragma', 'cachewell-cache-control', 'cdn-cache-control']
    if (odd.some((name) => valueOf(run.fields, name) !== undefined)) return undefined
    const sender = last.sent.fields
    if ([...nominated(entry.fields)].some((name) => valueOf(sender, name) !== valueOf(sent.fields, name)))
      return undefined
    if (this.#unfit(entry, sent) !== undefined) return undefined
    // DR-7: another one may come first.
    if (this.#first(this.#entries.filter((other) => this.#unfit(other, sent) === undefined)) !== entry) return undefined
    const written = this.#writes.some(({ uris, headTick }) => uris.includes(entry.uri) && entry.sinceTick <= headTick)
    const left = lifetimeOf(entry, this.#profile).least - agesOf(entry, sent.at)[1]
    return written || left <= 1_000 ? undefined : entry
  }
}

const NOTHING: Directives = new Map()

/** What the request's own directives say; `Pragma` counts where there are none (CCQ-11). */
function requestDirectives({ fields }: Asked): Directives {
  const told = valueOf(fields, 'cache-control')
  if (told !== undefined) return directivesOf(told)
  return valueOf(fields, 'pragma') === 'no-cache' ? directivesOf('no-cache') : NOTHING
}

function seconds<T>(directives: Directives, name: string, invalid: T): number | T | undefined {
  const given = secondsOf(directives, name)
  return given === 'invalid' ? invalid : given
}

/** STA-1 */
function isStaleForbidden(directives: Directives): boolean {
  return (
    ['must-revalidate', 'proxy-revalidate', 's-maxage'].some((name) => directives.has(name)) ||
    saysPlainly(directives, 'no-cache')
  )
}

function isConditional(inner: Run['inner']): boolean {
  return valueOf(inner, 'if-none-match') !== undefined || valueOf(inner, 'if-modified-since') !== undefined
}

/** What an entry is to a request that asks about it: a write or a newer answer is no obstacle then. */
function unspoiled(entry: Entry): Entry {
  return { ...entry, sinceTick: Number.POSITIVE_INFINITY, spoiled: undefined }
}

/** Was the handler asked about the tag of this entry (VAL-5)? */
function isAskedAbout({ inner }: Run, { fields }: Entry): boolean {
  const tags = valueOf(inner, 'if-none-match')
  return tags !== undefined && tags !== '*' && namesTag(tags, tagOf(fields))
}

/** May the client see this 304: it was asked for by the client, or covers what the client has (VAL-13, VAL-15, VAL-16)? */
function mayForward304({ fields }: Sent, run: Run): boolean {
  if (!isConditional(run.inner)) return true
  const [tags, since] = [valueOf(fields, 'if-none-match'), valueOf(fields, 'if-modified-since')]
  if (tags === valueOf(run.inner, 'if-none-match') && since === valueOf(run.inner, 'if-modified-since')) return true
  if (tags !== undefined) return namesTag(tags, tagOf(run.fields))
  const modified = dateOf(valueOf(run.fields, 'last-modified'))
  return since !== undefined && modified !== undefined && modified <= (dateOf(since) ?? 0)
}

/** CST-4: what the cache says of itself agrees with what it did. */
function wrongCacheStatus({ got, runs }: Exchange): string | undefined {
  const told = valueOf(got.fields, 'cache-status')
  if (told === undefined) return undefined
  const hit = /; *hit\b/.test(told) || /; *collapsed\b(?!=\?0)/.test(told)
  return hit === (runs.length === 0) ? undefined : `Cache-Status: ${told}, but the handler ran ${runs.length} times`
}

/** The path on our origin that a reference names, if it is one (INV-5). */
function sameOrigin(reference: string, base: string): string[] {
  const url = new URL(reference, `http://shop.example${base}`)
  return url.origin === 'http://shop.example' ? [url.pathname + url.search] : []
}

function saysNoStore({ fields }: Asked): boolean {
  return directivesOf(valueOf(fields, 'cache-control')).has('no-store')
}

/** Say that an entry is not in the cache any more. */
function retire(entry: Entry, why: string, tick: number): void {
  entry.spoiled ??= why
  entry.goneTick = Math.min(entry.goneTick, tick)
}

function isSame(one: Entry, other: Entry): boolean {
  const told = ({ uri, headOnly, status, fields, unkept, body, requestedAt, sinceTick, spoiled }: Entry): string =>
    JSON.stringify([uri, headOnly, status, fields, unkept, body, requestedAt, sinceTick, spoiled])
  return told(one) === told(other)
}

/** Can it be that this one is chosen before the other (DR-7): for its `Vary`, or as the newer by some count? */
function mayComeFirst(one: Entry, other: Entry): boolean {
  const dated = (entry: Entry): number => dateOf(valueOf(entry.fields, 'date')) ?? 0
  const varies = (entry: Entry): boolean => nominated(entry.fields).length > 0
  return (varies(one) && !varies(other)) || dated(one) > dated(other) || one.respondedAt > other.respondedAt
}

/** Do the two stand in one place: the same `Vary`, and this request selects the older one (REU-12)? */
function takesPlaceOf(newer: Entry, older: Entry, sent: Sent): boolean {
  const [names, others] = [newer, older].map(({ fields }) => String([...nominated(fields)].sort()))
  return newer.headOnly === older.headOnly && names === others && selectsSurely(sent, older)
}

/** Nothing in the request but who asks, for what, in which language. */
function isPlain({ fields }: Asked): boolean {
  const plain = ['host', 'connection', 'x-request', 'accept-language', 'x-unit']
  return fields.every(([name]) => plain.includes(name.toLowerCase()))
}

function listed(reasons: readonly string[]): string {
  return reasons.map((reason) => `    ${reason}`).join('\n')
}

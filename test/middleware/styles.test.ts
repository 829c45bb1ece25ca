import { type OutgoingHttpHeaders, type RequestListener, ServerResponse } from 'node:http'
import { expect } from 'chai'
import type { Outcome } from '../../lib/outcome.ts'
import { cacheMiddleware } from '../../middleware/cache.ts'
import { withCache } from '../../middleware/front.ts'
import { FRAMEWORKS, type Handler, makeListener } from '../support/app.ts'
import type { Answer, RequestShape } from '../support/http-client.ts'
import { type Bench, closeSites, makeBench, openSite, type Site } from '../support/site.ts'

/** A field line. */
type Line = readonly [name: string, value: string]

/** What a handler means to say. Lines of one name stand together, as every style has to write them. */
interface Words {
  readonly status?: number
  readonly fields: readonly Line[]
  readonly body?: string
}

/** A way to put the fields on a response, and how it can be told from the others. */
interface Style {
  readonly say: (res: ServerResponse, words: Required<Words>) => void
  /** The reason phrase that it gives. */
  readonly reason?: string
  /** Lines are joined, names sorted and in lower case, before node sees them. */
  readonly joins?: boolean
}

const REASON = 'In Other Words'

/** The values of each name, in order. */
function grouped(fields: readonly Line[]): readonly (readonly [name: string, values: string[]])[] {
  const groups = new Map<string, [string, string[]]>()
  for (const [name, value] of fields) {
    const group = groups.get(name.toLowerCase())
    if (group === undefined) groups.set(name.toLowerCase(), [name, [value]])
    else group[1].push(value)
  }
  return [...groups.values()]
}

/** As `writeHead` takes an object: text where there is one line, else a list. */
function asObject(fields: readonly Line[]): OutgoingHttpHeaders {
  return Object.fromEntries(grouped(fields).map(([name, values]) => [name, values.length === 1 ? values[0] : values]))
}

/** Numbers where the text is one, as handlers say them. */
function setAll(res: ServerResponse, fields: readonly Line[]): void {
  for (const [name, values] of grouped(fields)) {
    const [first = '', ...others] = values
    res.setHeader(name, others.length > 0 ? values : /^\d+$/.test(first) ? Number(first) : first)
  }
}

/** Node's types know only some of what its `writeHead` takes. */
function writeHead(res: ServerResponse, ...given: readonly unknown[]): void {
  Reflect.apply(res.writeHead, res, given)
}

const STYLES: Readonly<Record<string, Style>> = {
  setHeader: {
    say: (res, { status, fields, body }) => {
      res.statusCode = status
      setAll(res, fields)
      res.end(body)
    },
  },
  'setHeader of lists': {
    say: (res, { status, fields, body }) => {
      res.statusCode = status
      for (const [name, values] of grouped(fields)) res.setHeader(name, values)
      res.end(body)
    },
  },
  appendHeader: {
    say: (res, { status, fields, body }) => {
      res.statusCode = status
      for (const [name, value] of fields) res.appendHeader(name, value)
      res.end(body)
    },
  },
  'setHeader, write': {
    say: (res, { status, fields, body }) => {
      res.statusCode = status
      setAll(res, fields)
      res.write(body.slice(0, 1))
      res.end(body.slice(1))
    },
  },
  'setHeader, flushHeaders': {
    say: (res, { status, fields, body }) => {
      res.statusCode = status
      setAll(res, fields)
      res.flushHeaders()
      res.end(body)
    },
  },
  'writeHead(status, object)': {
    say: (res, { status, fields, body }) => {
      writeHead(res, status, asObject(fields))
      res.end(body)
    },
  },
  'writeHead(status, reason, object)': {
    reason: REASON,
    say: (res, { status, fields, body }) => {
      writeHead(res, status, REASON, asObject(fields))
      res.end(body)
    },
  },
  'writeHead(status, flat array)': {
    say: (res, { status, fields, body }) => {
      writeHead(res, status, fields.flat())
      res.end(body)
    },
  },
  'writeHead(status, flat array of lists)': {
    say: (res, { status, fields, body }) => {
      writeHead(res, status, grouped(fields).flat())
      res.end(body)
    },
  },
  'writeHead(status, array of pairs)': {
    say: (res, { status, fields, body }) => {
      writeHead(res, status, fields)
      res.end(body)
    },
  },
  'some by setHeader, some by writeHead': {
    say: (res, { status, fields, body }) => {
      const [first, ...others] = grouped(fields).map(([name]) => name.toLowerCase())
      setAll(
        res,
        fields.filter(([name]) => name.toLowerCase() === first),
      )
      writeHead(res, status, asObject(fields.filter(([name]) => others.includes(name.toLowerCase()))))
      res.end(body)
    },
  },
  'writeHead over what setHeader said': {
    say: (res, { status, fields, body }) => {
      res.statusCode = 299
      for (const [name] of grouped(fields)) res.setHeader(name, ['no-store', 'no-cache'])
      writeHead(res, status, asObject(fields))
      res.end(body)
    },
  },
}

/** Not in every node that is supported. */
const LATER_STYLES: Readonly<Record<string, Style>> = {
  'setHeaders(Map)': {
    say: (res, { status, fields, body }) => {
      res.statusCode = status
      res.setHeaders(new Map(grouped(fields)))
      res.end(body)
    },
  },
  'setHeaders(Headers)': {
    joins: true,
    say: (res, { status, fields, body }) => {
      res.statusCode = status
      res.setHeaders(new Headers(fields.map(([name, value]) => [name, value])))
      res.end(body)
    },
  },
}

const hasSetHeaders = typeof ServerResponse.prototype.setHeaders === 'function'
const styles = Object.entries({ ...STYLES, ...(hasSetHeaders ? LATER_STYLES : {}) })

/** What becomes of a response: kept for so many seconds, or refused by a row of the tables, with its `detail`. */
type Fate = { readonly ttl: number } | { readonly refused: string; readonly rule: string }

interface Case extends Words {
  readonly fate: Fate
  readonly profile?: 'safe' | 'rfc'
  readonly request?: Readonly<Record<string, string>>
  /** The lines of hits, where they are not those of the miss. */
  readonly onHits?: readonly Line[]
  /** Fields that nobody but the cache is to see. */
  readonly hidden?: readonly string[]
  /** What the same request meets afterwards, where that is no hit. */
  readonly afterwards?: Partial<Outcome>
}

const STORED: Line = ['Cache-Control', 'max-age=60']

const CASES: Readonly<Record<string, Case>> = {
  'nothing about caching': { fields: [['X-A', '1']], fate: { ttl: 60 } },
  'no-store (DS-12)': {
    fields: [['Cache-Control', 'no-store']],
    fate: { refused: 'no-store', rule: 'DS-12' },
  },
  'no-store on a second line (DS-12)': {
    fields: [STORED, ['Cache-Control', 'no-store']],
    fate: { refused: 'no-store', rule: 'DS-12' },
  },
  'private (DS-13)': {
    fields: [['Cache-Control', 'max-age=60, private']],
    fate: { refused: 'private', rule: 'DS-13' },
  },
  'private="x-mine" (HDR-5)': {
    fields: [
      ['Cache-Control', 'max-age=60'],
      ['Cache-Control', 'private="x-mine"'],
      ['X-Mine', '1'],
    ],
    onHits: [
      ['Cache-Control', 'max-age=60'],
      ['Cache-Control', 'private="x-mine"'],
    ],
    fate: { ttl: 60 },
  },
  'no-cache, which safe does not keep (DR-11)': {
    fields: [['Cache-Control', 'no-cache, max-age=60']],
    fate: { refused: 'no-cache', rule: 'DR-11' },
  },
  'no-cache, which rfc validates at each use (DR-11)': {
    profile: 'rfc',
    fields: [
      ['Cache-Control', 'no-cache'],
      ['Cache-Control', 'max-age=60'],
      ['ETag', '"v1"'],
    ],
    fate: { ttl: 60 },
    afterwards: { forward: 'stale', rule: 'DR-11', stored: true, ttl: 60, storingRule: 'DS-22' },
  },
  'max-age': { fields: [['Cache-Control', 'max-age=10']], fate: { ttl: 10 } },
  'max-age twice, differing (FRE-7)': {
    fields: [
      ['Cache-Control', 'max-age=60'],
      ['Cache-Control', 'max-age=10'],
    ],
    fate: { refused: 'stale', rule: 'DS-20' },
  },
  's-maxage after max-age (FRE-4)': {
    fields: [
      ['Cache-Control', 'max-age=5'],
      ['Cache-Control', 's-maxage=20'],
    ],
    fate: { ttl: 20 },
  },
  'directives on four lines': {
    fields: [
      ['Cache-Control', 'public'],
      ['Cache-Control', ''],
      ['Cache-Control', 'max-age=30'],
      ['Cache-Control', 'must-revalidate'],
    ],
    fate: { ttl: 30 },
  },
  'Expires (FRE-2)': {
    fields: [
      ['Date', 'Fri, 20 Nov 2026 12:00:00 GMT'],
      ['Expires', 'Fri, 20 Nov 2026 12:01:30 GMT'],
    ],
    fate: { ttl: 90 },
  },
  'Expires twice (EXP-1)': {
    fields: [
      ['Expires', 'Fri, 20 Nov 2026 12:01:30 GMT'],
      ['Expires', 'Fri, 20 Nov 2026 12:01:31 GMT'],
    ],
    fate: { refused: 'stale', rule: 'DS-20' },
  },
  'Expires: 0 (FRE-6)': { fields: [['Expires', '0']], fate: { refused: 'stale', rule: 'DS-20' } },
  'Age twice, of which the first counts (AGE-5)': {
    fields: [
      ['Cache-Control', 'max-age=20'],
      ['Age', '5'],
      ['Age', '15'],
    ],
    onHits: [['Cache-Control', 'max-age=20']],
    fate: { ttl: 15 },
  },
  'an Age beyond the lifetime (FRE-1)': {
    fields: [
      ['Age', '20'],
      ['Cache-Control', 'max-age=20'],
    ],
    fate: { refused: 'stale', rule: 'DS-20' },
  },
  'Vary on two lines': {
    request: { 'Accept-Language': 'de', 'X-A': '1' },
    fields: [
      ['Vary', 'Accept-Language'],
      ['Vary', 'X-A'],
    ],
    fate: { ttl: 60 },
  },
  'Vary with a * on its second line (DS-16)': {
    fields: [
      ['Vary', 'Accept-Language'],
      ['Vary', 'X-A, *'],
    ],
    fate: { refused: 'vary-star', rule: 'DS-16' },
  },
  'Set-Cookie twice (DS-15)': {
    fields: [STORED, ['Set-Cookie', 'a=1; Path=/'], ['Set-Cookie', 'b=2, c']],
    fate: { refused: 'set-cookie', rule: 'DS-15' },
  },
  'Set-Cookie twice, which rfc keeps (CKI-2)': {
    profile: 'rfc',
    fields: [STORED, ['Set-Cookie', 'a=1; Expires=Fri, 20 Nov 2026 13:00:00 GMT'], ['Set-Cookie', 'b=2, c']],
    fate: { ttl: 60 },
  },
  'no-cache="set-cookie" (HDR-6)': {
    fields: [
      ['Cache-Control', 'max-age=60'],
      ['Cache-Control', 'no-cache="set-cookie"'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ],
    onHits: [
      ['Cache-Control', 'max-age=60'],
      ['Cache-Control', 'no-cache="set-cookie"'],
    ],
    fate: { ttl: 60 },
  },
  'our targeted field (TGT-2, TGT-12)': {
    fields: [
      ['Cache-Control', 'no-store'],
      ['Cachewell-Cache-Control', 'max-age=40'],
      ['Cachewell-Cache-Control', 'must-revalidate'],
    ],
    hidden: ['cachewell-cache-control'],
    fate: { ttl: 40 },
  },
  'our targeted field, refusing (TGT-3)': {
    fields: [
      ['Cachewell-Cache-Control', 'no-store'],
      ['Cache-Control', 'public, max-age=60'],
    ],
    hidden: ['cachewell-cache-control'],
    fate: { refused: 'no-store', rule: 'DS-12' },
  },
  'CDN-Cache-Control, which safe passes on (TGT-1)': {
    fields: [
      ['CDN-Cache-Control', 'no-store'],
      ['Cache-Control', 'max-age=60'],
    ],
    fate: { ttl: 60 },
  },
  'CDN-Cache-Control, which rfc obeys (TGT-2)': {
    profile: 'rfc',
    fields: [
      ['CDN-Cache-Control', 'max-age=50'],
      ['CDN-Cache-Control', 'must-revalidate'],
      ['Cache-Control', 'no-store'],
    ],
    fate: { ttl: 50 },
  },
  'a validator and nothing else, which rfc guesses from (FRE-11)': {
    profile: 'rfc',
    fields: [
      ['Date', 'Fri, 20 Nov 2026 12:00:00 GMT'],
      ['Last-Modified', 'Fri, 20 Nov 2026 11:50:00 GMT'],
      ['ETag', 'W/"v1"'],
    ],
    fate: { ttl: 60 },
  },
  'fields that Connection names (HDR-2)': {
    fields: [
      ['Connection', 'close, X-Hop'],
      ['X-Hop', '1'],
      ['X-A', '1'],
    ],
    onHits: [['X-A', '1']],
    fate: { ttl: 60 },
  },
  'a refusal that Connection names (HDR-2, TV-27)': {
    fields: [
      ['Connection', 'close, Cache-Control'],
      ['Cache-Control', 'no-store'],
    ],
    fate: { refused: 'no-store', rule: 'DS-12' },
  },
  'an origin that is echoed without Vary (COR-2)': {
    request: { Origin: 'https://a.example' },
    fields: [STORED, ['Access-Control-Allow-Origin', 'https://a.example'], ['Vary', 'Accept-Encoding']],
    fate: { refused: 'cors', rule: 'COR-2' },
  },
  'an origin that is echoed, Vary on its second line (COR-3)': {
    request: { Origin: 'https://a.example' },
    fields: [
      ['Vary', 'Accept-Encoding'],
      ['Vary', 'Origin'],
      ['Access-Control-Allow-Origin', 'https://a.example'],
    ],
    fate: { ttl: 60 },
  },
  'a coding that nothing in Vary explains (CMP-7)': {
    request: { 'Accept-Encoding': 'x-rot13' },
    fields: [STORED, ['Content-Encoding', 'x-rot13']],
    fate: { refused: 'encoding', rule: 'CMP-7' },
  },
  'an event stream (DS-17)': {
    fields: [STORED, ['Content-Type', 'text/event-stream; charset=utf-8']],
    fate: { refused: 'event-stream', rule: 'DS-17' },
  },
  'three links, a challenge and an empty value (HDR-10)': {
    fields: [
      ['LINK', '</a>; rel=preload'],
      ['LINK', '</b>; rel=preload'],
      ['LINK', '</c>; rel=preload'],
      ['www-authenticate', 'Basic realm="a, b"'],
      ['X-Empty', ''],
    ],
    fate: { ttl: 60 },
  },
  'a 204': { status: 204, body: '', fields: [STORED], fate: { ttl: 60 } },
  'a 301': { status: 301, fields: [['Location', '/b']], fate: { ttl: 60 } },
  'a 302 without a lifetime (DS-19)': {
    status: 302,
    fields: [['Location', '/b']],
    fate: { refused: 'no-freshness', rule: 'DS-19' },
  },
  'a 206 (DS-10)': {
    status: 206,
    fields: [STORED, ['Content-Range', 'bytes 0-3/10']],
    fate: { refused: 'partial', rule: 'DS-10' },
  },
  'a 404 without a lifetime': { status: 404, fields: [], fate: { refused: 'status', rule: 'STC-8' } },
  'a 404 with a lifetime, in rfc (STC-1)': { status: 404, profile: 'rfc', fields: [STORED], fate: { ttl: 60 } },
  'a 429 (STC-3)': {
    status: 429,
    profile: 'rfc',
    fields: [['Cache-Control', 'public, max-age=60']],
    fate: { refused: 'status', rule: 'DS-9' },
  },
  'a 500 with a lifetime (STC-8)': { status: 500, fields: [STORED], fate: { refused: 'status', rule: 'STC-8' } },
  'a 500 with a lifetime, in rfc (STC-8)': { status: 500, profile: 'rfc', fields: [STORED], fate: { ttl: 60 } },
  'the fields of an error page, in rfc (XPR-12)': {
    status: 500,
    profile: 'rfc',
    fields: [
      STORED,
      ['Content-Security-Policy', "default-src 'none'"],
      ['X-Content-Type-Options', 'nosniff'],
      ['Content-Type', 'text/html; charset=utf-8'],
    ],
    fate: { refused: 'error-page', rule: 'XPR-12' },
  },
}

/** Node treats arrays differently where a field is on the response before them, as Express's own is. */
const powered: Handler = (_req, res, next) => {
  res.setHeader('X-Powered-By', 'something')
  next()
}

/** What caches, framing and outer middlewares say on their own. */
const NOT_WORDS: ReadonlySet<string> = new Set([
  'age',
  'cache-status',
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
  'x-powered-by',
])

/** The lines that a handler has said, as a style can say them. */
function wordsOf(fields: readonly Line[], { joins = false }: Style): string[] {
  const said = fields.filter(([name]) => !NOT_WORDS.has(name.toLowerCase()))
  if (!joins) return said.map((line) => line.join(': '))
  const lines = grouped(said).flatMap(([name, values]) =>
    // Cookies are never joined.
    name.toLowerCase() === 'set-cookie'
      ? values.map((value): Line => [name, value])
      : [[name, values.join(', ')] as const],
  )
  return lines.map(([name, value]) => `${name.toLowerCase()}: ${value}`).sort()
}

for (const framework of FRAMEWORKS) {
  for (const place of ['inside', 'in front of'] as const) {
    describe(`ways to say a head, the cache ${place} ${framework}`, () => {
      const isPowered = place === 'in front of' || framework.startsWith('Express')
      let bench: Bench
      let paths = 0
      let answering: (res: ServerResponse) => void = (res) => void res.end()
      const sites = new Map<'safe' | 'rfc', Site>()

      beforeEach(async () => {
        bench = makeBench()
        for (const profile of ['safe', 'rfc'] as const) sites.set(profile, await openSite(listenerOf(profile)))
      })
      afterEach(closeSites)

      function listenerOf(profile: 'safe' | 'rfc'): RequestListener {
        const options = { cache: bench.cache, profile, headers: 'standard', staleIfError: '1h' } as const
        const handler: Handler = (_req, res) => answering(res)
        if (place === 'inside') return makeListener(framework, [cacheMiddleware(options)], handler)
        return withCache(makeListener(framework, [powered], handler), options)
      }

      /** One request, what the handler says to it if it is asked, and what the cache makes of that. */
      async function ask(
        style: Style,
        words: Words,
        { profile = 'safe', ...shape }: RequestShape & { readonly profile?: 'safe' | 'rfc' | undefined },
      ): Promise<{ readonly answer: Answer; readonly outcome: Outcome | undefined; readonly asked: boolean }> {
        let asked = false
        answering = (res) => {
          asked = true
          style.say(res, { status: 200, body: 'text', ...words })
        }
        bench.outcomes.length = 0
        const answer = await (sites.get(profile) as Site).send(shape)
        expect(bench.outcomes.length, 'outcomes').to.be.at.most(1)
        expect(answer.lines('x-powered-by')).to.have.length(isPowered ? 1 : 0)
        return { answer, outcome: bench.outcomes[0]?.outcome, asked }
      }

      const keyCount = (): number => bench.cache.stats().stats.keyCount

      for (const [title, words] of Object.entries(CASES)) {
        it(`decides the same about ${title}`, async () => {
          const {
            fate,
            profile,
            request = {},
            fields,
            onHits = fields,
            hidden = [],
            afterwards,
            status = 200,
            body = 'text',
          } = words
          const shown = (lines: readonly Line[]): readonly Line[] =>
            lines.filter(([field]) => !hidden.includes(field.toLowerCase()))
          const isKept = 'ttl' in fate
          const filled: Outcome = isKept
            ? { hit: false, forward: 'uri-miss', ttl: fate.ttl, stored: true, rule: 'DR-4', storingRule: 'DS-22' }
            : {
                hit: false,
                forward: 'uri-miss',
                stored: false,
                detail: fate.refused,
                rule: 'DR-4',
                storingRule: fate.rule,
              }
          for (const [manner, style] of styles) {
            const path = `/${++paths}`
            const before = keyCount()
            const miss = await ask(style, words, { profile, path, headers: request })
            expect(miss.outcome, manner).to.deep.equal(filled)
            expect([miss.answer.status, miss.answer.text], manner).to.deep.equal([status, body])
            expect(wordsOf(miss.answer.fields, style), manner).to.deep.equal(wordsOf(shown(fields), style))
            expect(keyCount() > before, manner).to.equal(isKept)
            if (!isKept) continue
            const again = await ask(style, words, { profile, path, headers: request })
            const next = afterwards ?? { hit: true, ttl: fate.ttl, rule: 'DR-15' }
            expect(again.outcome, manner).to.deep.equal({ hit: false, ...next })
            expect([again.answer.status, again.answer.text], manner).to.deep.equal([status, body])
            const lines = again.asked ? fields : onHits
            expect(wordsOf(again.answer.fields, style), manner).to.deep.equal(wordsOf(shown(lines), style))
            if (!again.asked) expect(again.answer.lines('age'), manner).to.have.length(1)
            if (style.reason !== undefined) expect(again.answer.reason, manner).to.equal(style.reason)
          }
        })
      }

      it('keeps the variants apart that two lines of Vary name (VRY-1)', async () => {
        const fields: readonly Line[] = [
          ['Vary', 'X-A'],
          ['Vary', 'X-B'],
        ]
        for (const [manner, style] of styles) {
          const path = `/${++paths}`
          for (const turn of ['miss', 'hit'])
            for (const headers of [{ 'X-A': '1', 'X-B': '1' }, { 'X-A': '1' }]) {
              const body = JSON.stringify(headers)
              const { answer, asked } = await ask(style, { fields, body }, { path, headers })
              expect([asked, answer.text], `${manner}, ${turn}`).to.deep.equal([turn === 'miss', body])
            }
        }
      })

      it('sends and obeys what node makes of an object with two spellings of one name (PAR-1, NOD-3)', async () => {
        const say = (res: ServerResponse): void => {
          res.writeHead(200, { 'Cache-Control': 'no-store', 'cache-control': 'max-age=60' })
          res.end('text')
        }
        const handler: Handler = (_req, res) => say(res)
        const plain = await openSite(makeListener(framework, place === 'inside' ? [] : [powered], handler))
        const wanted = (await plain.get()).lines('cache-control')
        answering = say
        const answer = await (sites.get('safe') as Site).get(`/${++paths}`)
        expect(answer.lines('cache-control')).to.deep.equal(wanted)
        expect(bench.outcomes.at(-1)?.outcome.stored).to.equal(!wanted.includes('no-store'))
      })

      it('invalidates by the tags of every line', async () => {
        const fields: readonly Line[] = [
          ['Cache-Tag', 'one'],
          ['Cache-Tag', 'two, three'],
          ['Surrogate-Key', 'four'],
          ['Surrogate-Key', 'five'],
        ]
        for (const [manner, style] of styles) {
          const path = `/${++paths}`
          await ask(style, { fields }, { path })
          for (const tag of ['three', 'four']) {
            await bench.cache.invalidate({ tags: [tag] })
            expect((await ask(style, { fields }, { path })).asked, `${manner}, ${tag}`).to.equal(true)
          }
        }
      })

      const original: Words = {
        fields: [
          ['ETag', '"v1"'],
          ['Cache-Control', 'max-age=10'],
          ['X-Old', 'old'],
          ['Link', '</a>'],
          ['Link', '</b>'],
        ],
      }
      const news: readonly Line[] = [
        ['ETag', '"v1"'],
        ['Cache-Control', 'public'],
        ['Cache-Control', 'max-age=100'],
        ['Link', '</c>'],
        ['Link', '</d>'],
        ['X-New', 'new'],
      ]
      const merged: readonly Line[] = [
        ['ETag', '"v1"'],
        ['Cache-Control', 'public'],
        ['Cache-Control', 'max-age=100'],
        ['X-Old', 'old'],
        ['Link', '</c>'],
        ['Link', '</d>'],
        ['X-New', 'new'],
      ]

      /** Store what can be asked about, and let it become stale. */
      async function fillStale(style: Style, words: Words = original): Promise<string> {
        const path = `/${++paths}`
        await ask(style, words, { path })
        bench.clock.advance(20_000)
        return path
      }

      it('takes the same from a 304 that confirms (HDR-20, DV-1)', async () => {
        for (const [manner, style] of styles) {
          const path = await fillStale(style)
          const validated = await ask(style, { status: 304, fields: news, body: '' }, { path })
          expect(validated.outcome, manner).to.deep.equal({
            hit: false,
            forward: 'stale',
            forwardStatus: 304,
            ttl: 100,
            stored: true,
            rule: 'DV-1',
            storingRule: 'DS-22',
          })
          const hit = await ask(style, { fields: [] }, { path })
          expect(hit.outcome, manner).to.deep.equal({ hit: true, ttl: 100, rule: 'DR-15' })
          for (const { answer } of [validated, hit]) {
            expect([answer.status, answer.reason, answer.text], manner).to.deep.equal([
              200,
              style.reason ?? 'OK',
              'text',
            ])
            expect(wordsOf(answer.fields, style), manner).to.deep.equal(wordsOf(merged, style))
          }
        }
      })

      it('takes the same from a HEAD that confirms (VAL-20)', async () => {
        for (const [manner, style] of styles) {
          const path = await fillStale(style)
          const head = await ask(style, { fields: news }, { method: 'HEAD', path })
          expect([head.answer.status, head.answer.text], manner).to.deep.equal([200, ''])
          expect(wordsOf(head.answer.fields, style), manner).to.deep.equal(wordsOf(news, style))
          const hit = await ask(style, { fields: [] }, { path })
          expect(hit.outcome, manner).to.deep.equal({ hit: true, ttl: 100, rule: 'DR-15' })
          expect(wordsOf(hit.answer.fields, style), manner).to.deep.equal(wordsOf(merged, style))
        }
      })

      it('asks anew after a HEAD that contradicts (VAL-20)', async () => {
        for (const [manner, style] of styles) {
          const path = await fillStale(style)
          await ask(style, { fields: [['ETag', '"v2"'], STORED] }, { method: 'HEAD', path })
          const { outcome } = await ask(style, { fields: [] }, { path })
          expect(outcome?.forward, manner).to.equal('uri-miss')
        }
      })

      const refusals: Readonly<Record<string, readonly [rule: string, ...lines: Line[]]>> = {
        'no-store on a second line (TV-81)': ['DS-12', STORED, ['Cache-Control', 'no-store']],
        'private (HDR-25)': ['DS-13', ['Cache-Control', 'private, max-age=60']],
        'two cookies (CKI-4, TV-80b)': ['DS-15', STORED, ['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2']],
        'a * on the second line of Vary': ['DS-16', STORED, ['Vary', 'X-A'], ['Vary', '*']],
      }
      for (const [title, [rule, ...lines]] of Object.entries(refusals)) {
        it(`answers once more, and forgets, after a 304 with ${title}`, async () => {
          for (const [manner, style] of styles) {
            const before = keyCount()
            const path = await fillStale(style)
            const { answer, outcome } = await ask(style, { status: 304, fields: lines, body: '' }, { path })
            expect([answer.status, answer.text], manner).to.deep.equal([200, 'text'])
            expect([outcome?.stored, outcome?.storingRule], manner).to.deep.equal([false, rule])
            for (const [field] of lines) {
              const wanted = wordsOf(
                lines.filter(([other]) => other === field),
                style,
              )
              const seen = wordsOf(
                answer.fields.filter(([other]) => other.toLowerCase() === field.toLowerCase()),
                style,
              )
              expect(seen, manner).to.deep.equal(wanted)
            }
            expect(keyCount(), manner).to.equal(before)
          }
        })
      }

      it('lets nothing through of an error that a stored answer stands in for (DV-5)', async () => {
        const fields: readonly Line[] = [
          ['X-Error', '1'],
          ['X-Error', '2'],
          ['X-Old', 'broken'],
          ['Set-Cookie', 'e=1'],
          ['Set-Cookie', 'e=2'],
          ['Retry-After', '120'],
          ['Content-Type', 'text/html'],
          ['Cache-Control', 'no-store'],
        ]
        for (const [manner, style] of styles) {
          const path = await fillStale(style)
          const { answer, outcome } = await ask(style, { status: 503, fields, body: 'broken' }, { path })
          expect([answer.status, answer.reason, answer.text], manner).to.deep.equal([200, style.reason ?? 'OK', 'text'])
          expect(wordsOf(answer.fields, style), manner).to.deep.equal(wordsOf(original.fields, style))
          expect(outcome, manner).to.deep.equal({
            hit: false,
            forward: 'stale',
            forwardStatus: 503,
            ttl: -10,
            detail: 'stale-if-error',
            rule: 'DV-5',
          })
        }
      })
    })
  }
}

import { expect } from 'chai'
import fc from 'fast-check'
import CachePolicy from 'http-cache-semantics'
import { formatHttpDate } from '../../../lib/http/dates.ts'
import type { Fields } from '../../../lib/http/fields.ts'
import { judgeStoring, type Permission } from '../../../lib/http/storing.ts'
import type { StoringInput } from '../../../lib/http/storing-input.ts'

const NOW = Date.UTC(2026, 10, 21)
const HOUR = 3_600_000
const at = (offset: number) => formatHttpDate(NOW + offset)

const SAFE: StoringInput = {
  status: 200,
  fields: [],
  method: 'GET',
  uri: 'http://shop.example/a',
  headers: {},
  requestNoStore: false,
  credentials: undefined,
  permitted: false,
  defaults: { ttl: 60_000 },
  profile: 'safe',
  storeSetCookie: false,
  targets: ['cachewell-cache-control'],
  heuristics: false,
  sMaxageAllowsStale: false,
  requestedAt: NOW,
  respondedAt: NOW,
}

const RFC: StoringInput = {
  ...SAFE,
  defaults: { ttl: false },
  profile: 'rfc',
  storeSetCookie: true,
  targets: ['cachewell-cache-control', 'cdn-cache-control'],
  heuristics: true,
}

type Options = Partial<StoringInput> & { readonly says?: string }

function judge(base: StoringInput, { says, ...options }: Options) {
  const fields: Fields = says === undefined ? [] : [['Cache-Control', says]]
  return judgeStoring({ ...base, ...options, fields: [...fields, ...(options.fields ?? [])] })
}

const safe = (options: Options = {}) => judge(SAFE, options)
const rfc = (options: Options = {}) => judge(RFC, options)

function reason(verdict: ReturnType<typeof safe>): string | undefined {
  return verdict.store ? undefined : `${verdict.reason} ${verdict.rule}`
}

function kept(verdict: ReturnType<typeof safe>): Permission {
  if (!verdict.store) throw new Error(`refused: ${verdict.reason}`)
  return verdict
}

describe('judgeStoring', () => {
  describe('refuses', () => {
    const cases: [string, Options, string][] = [
      ['what an annotation says is never stored', { annotated: { ttl: false } }, 'skip DS-1'],
      ['unsafe methods', { method: 'PUT', says: 'max-age=60' }, 'method DS-3'],
      ['a POST that does not say what it stands for', { method: 'POST', says: 'max-age=60' }, 'method DS-6'],
      ['lower-case methods', { method: 'get', says: 'max-age=60' }, 'method DS-3'],
      ['HEAD', { method: 'HEAD', says: 'max-age=60' }, 'method DS-4'],
      ['what a no-store request asked for', { requestNoStore: true, says: 'max-age=60' }, 'request-no-store DS-7'],
      ['interim responses', { status: 103, says: 'max-age=60' }, 'status DS-8'],
      ['statuses that do not exist', { status: 600, says: 'max-age=60' }, 'status DS-8'],
      ['partial content', { status: 206, says: 'max-age=60' }, 'partial DS-10'],
      [
        'unknown statuses under must-understand',
        { status: 299, says: 'max-age=60, must-understand' },
        'must-understand DS-11',
      ],
      ['no-store', { says: 'No-Store, max-age=60' }, 'no-store DS-12'],
      ['no-store beside public', { says: 'public, no-store' }, 'no-store DS-12'],
      ['private', { says: 'private, max-age=60' }, 'private DS-13'],
      ['private beside s-maxage', { says: 's-maxage=60, private' }, 'private DS-13'],
      ['Vary: *', { says: 'max-age=60', fields: [['Vary', 'Foo, *']] }, 'vary-star DS-16'],
      [
        'event streams',
        { says: 'max-age=60', fields: [['Content-Type', 'text/event-stream; a=b']] },
        'event-stream DS-17',
      ],
      [
        'dictionary codings',
        {
          says: 'max-age=60',
          fields: [
            ['Content-Encoding', 'dcb'],
            ['Vary', 'Accept-Encoding'],
          ],
        },
        'dictionary DS-17',
      ],
      ['what is stale already', { says: 'max-age=0' }, 'stale DS-20'],
      ['an invalid lifetime', { says: 'max-age=60s' }, 'stale DS-20'],
      ['an invalid Expires', { fields: [['Expires', '0']] }, 'stale DS-20'],
      [
        'no-store even where the connection hides it (TV-27)',
        { says: 'no-store', fields: [['Connection', 'Cache-Control']] },
        'no-store DS-12',
      ],
    ]
    for (const [what, options, expected] of cases) {
      it(`${what}, in both profiles`, () => {
        expect(reason(safe(options))).to.equal(expected)
        expect(reason(rfc(options))).to.equal(expected)
      })
    }

    for (const status of [304, 407, 408, 412, 416, 417, 421, 425, 426, 428, 429, 431, 511]) {
      it(`${status}, whatever it and the options say (DS-9)`, () => {
        const options = { status, says: 'public, max-age=60', annotated: { ttl: 1000, statuses: [status] } }
        expect(reason(safe(options))).to.equal('status DS-9')
        expect(reason(rfc(options))).to.equal('status DS-9')
      })
    }

    it('no-cache in safe only: rfc keeps it and validates it at each use (DR-11, FRE-13)', () => {
      const options: Options = { says: 'no-cache, max-age=60', fields: [['ETag', '"a"']] }
      expect(reason(safe(options))).to.equal('no-cache DR-11')
      expect(kept(rfc(options))).to.include({ alwaysValidate: true, staleAt: NOW + 60_000 })
      expect(kept(rfc({ ...options, says: 'no-cache' })).alwaysValidate).to.equal(true)
    })

    it('what came stale in safe; rfc keeps what can be validated or was fresh once (DS-20, TV-16)', () => {
      const old: Options = { says: 'max-age=60', fields: [['Age', '61']] }
      const slow: Options = { says: 'max-age=5', requestedAt: NOW - 6000 }
      const never: Options = { says: 'max-age=0' }
      for (const options of [old, slow]) {
        expect(reason(safe(options))).to.equal('stale DS-20')
        expect(kept(rfc(options)).staleAt).to.equal(NOW - 1000)
        expect(reason(rfc({ ...options, says: `${options.says}, must-revalidate` }))).to.equal('stale DS-20')
      }
      const tagged: Options = { ...never, fields: [['ETag', '"a"']] }
      expect(reason(safe(tagged))).to.equal('stale DS-20')
      expect(kept(rfc(tagged)).staleAt).to.equal(NOW)
      expect(reason(rfc({ ...never, fields: [['ETag', 'a']] }))).to.equal('stale DS-20')
    })

    it('an error page of Express or Connect, whatever statuses says (XPR-12)', () => {
      const page: Fields = [
        ['Content-Security-Policy', "default-src 'none'"],
        ['X-Content-Type-Options', 'nosniff'],
      ]
      const options: Options = { status: 500, says: 'public, max-age=60', fields: page }
      expect(reason(rfc(options))).to.equal('error-page XPR-12')
      expect(reason(safe({ ...options, defaults: { statuses: [500] } }))).to.equal('error-page XPR-12')
      expect(rfc({ ...options, fields: page.slice(1) }).store).to.equal(true)
      expect(rfc({ ...options, status: 404 }).store).to.equal(true)
    })

    it('in safe an echoed origin that Vary does not name (COR-2)', () => {
      const headers = { origin: 'https://a.example' }
      const echo: Fields = [['Access-Control-Allow-Origin', 'https://a.example']]
      expect(reason(safe({ headers, fields: echo }))).to.equal('cors COR-2')
      expect(safe({ headers, fields: [...echo, ['Vary', 'Origin']] }).store).to.equal(true)
      expect(safe({ headers, fields: [['Access-Control-Allow-Origin', '*']] }).store).to.equal(true)
      expect(safe({ fields: echo }).store).to.equal(true)
      expect(rfc({ headers, fields: echo, says: 'max-age=60' }).store).to.equal(true)
    })

    it('in safe a negotiated coding that Vary does not name (CMP-7)', () => {
      const headers = { 'accept-encoding': 'gzip' }
      const coded: Fields = [['Content-Encoding', 'gzip']]
      expect(reason(safe({ headers, fields: coded }))).to.equal('encoding CMP-7')
      expect(safe({ headers, fields: [...coded, ['Vary', 'Accept-Encoding']] }).store).to.equal(true)
      expect(safe({ headers, fields: [['Content-Encoding', 'Identity']] }).store).to.equal(true)
      expect(safe({ fields: coded }).store).to.equal(true)
      expect(safe({ headers, fields: coded, says: 'no-transform' }).store).to.equal(true)
      expect(rfc({ headers, fields: coded, says: 'max-age=60' }).store).to.equal(true)
    })

    it('a POST or PATCH in safe, and in rfc what is no stand-in for a GET (DS-6)', () => {
      const fields: Fields = [['Content-Location', '/a']]
      for (const method of ['POST', 'PATCH']) {
        const options: Options = { method, says: 'max-age=60', fields }
        expect(reason(safe(options)), method).to.equal('method DS-6')
        expect(kept(rfc(options)).staleAt, method).to.equal(NOW + 60_000)
        expect(rfc({ ...options, status: 201 }).store, method).to.equal(true)
        expect(reason(rfc({ ...options, status: 303 })), method).to.equal('method DS-6')
        expect(reason(rfc({ ...options, fields: [['Content-Location', '/b']] })), method).to.equal('method DS-6')
        expect(reason(rfc({ method, fields, says: 'max-age=x' })), method).to.equal('no-freshness DS-6')
        const guess: Fields = [...fields, ['Last-Modified', at(-HOUR)]]
        expect(reason(rfc({ method, fields: guess })), method).to.equal('no-freshness DS-6')
        expect(reason(rfc({ method, fields, defaults: { ttl: 1000 } })), method).to.equal('no-freshness DS-6')
      }
    })

    it('Set-Cookie in safe only (DS-15)', () => {
      const options: Options = { says: 'public, max-age=60', fields: [['set-cookie', 'sid=1']] }
      expect(reason(safe(options))).to.equal('set-cookie DS-15')
      expect(rfc(options).store).to.equal(true)
    })

    it('errors in safe unless statuses names them (STC-8)', () => {
      expect(reason(safe({ status: 500, says: 'public, max-age=60' }))).to.equal('status STC-8')
      expect(reason(safe({ status: 404 }))).to.equal('status STC-8')
      expect(rfc({ status: 500, says: 'max-age=60' }).store).to.equal(true)
      expect(kept(safe({ status: 404, annotated: { ttl: 1000, statuses: [404] } })).source).to.equal('annotation')
      expect(kept(safe({ status: 404, says: 'max-age=9', defaults: { statuses: [200, 404] } })).source).to.equal(
        'cache-control',
      )
    })

    it('what gives no lifetime (DS-19)', () => {
      expect(reason(safe({ defaults: { ttl: false } }))).to.equal('no-freshness DS-19')
      expect(reason(rfc({ status: 302 }))).to.equal('no-freshness DS-19')
      expect(reason(rfc({ says: 'public' }))).to.equal('no-freshness DS-19')
      expect(reason(rfc({ status: 302, fields: [['ETag', '"a"']] }))).to.equal('no-freshness DS-19')
    })
  })

  it('keeps in rfc what can only be validated, where its status permits a guess (STO-7)', () => {
    const fields: Fields = [['ETag', '"a"']]
    expect(kept(rfc({ fields })).staleAt).to.equal(NOW)
    expect(rfc({ fields, status: 302, says: 'public' }).store).to.equal(true)
    expect(reason(safe({ fields, defaults: { ttl: false } }))).to.equal('no-freshness DS-19')
  })

  it('stores the answer to a QUERY like that to a GET (QRY-2)', () => {
    expect(safe({ method: 'QUERY' }).store).to.equal(true)
    expect(rfc({ method: 'QUERY', says: 'max-age=60' }).store).to.equal(true)
  })

  it('stores what a status with an explicit lifetime permits (STC-1)', () => {
    for (const status of [201, 299, 302, 307, 404, 499, 503, 599]) {
      expect(rfc({ status, says: 'max-age=10' }).store, String(status)).to.equal(true)
    }
    expect(safe({ status: 302, says: 'max-age=10' }).store).to.equal(true)
  })

  it('lets must-understand lift no-store for statuses it understands (CCR-5)', () => {
    expect(rfc({ says: 'no-store, must-understand, max-age=60' }).store).to.equal(true)
    expect(reason(rfc({ says: 'no-store, must-understand' }))).to.equal('no-freshness DS-19')
  })

  describe('lifetime', () => {
    it('of the fields is counted from when the response was generated', () => {
      expect(kept(safe({ says: 'max-age=60', fields: [['Age', '10']], requestedAt: NOW - 1000 }))).to.deep.include({
        cachedAt: NOW,
        staleAt: NOW + 49_000,
        deleteAt: NOW + 49_000,
        initialAge: 11_000,
        source: 'cache-control',
      })
      expect(kept(safe({ fields: [['Expires', at(HOUR)]] }))).to.include({ staleAt: NOW + HOUR, source: 'expires' })
    })

    it('of the option applies without an explicit one, from the head on', () => {
      expect(kept(safe({ requestedAt: NOW - 90_000 }))).to.include({
        staleAt: NOW + 60_000,
        initialAge: 90_000,
        source: 'option',
      })
      expect(kept(safe({ says: 'public' })).source).to.equal('option')
      expect(kept(safe({ says: 'max-age=5' })).staleAt).to.equal(NOW + 5000)
    })

    it('of our own applies to some statuses unless statuses says otherwise', () => {
      for (const status of [200, 203, 204, 300, 301, 308]) expect(safe({ status }).store, String(status)).to.equal(true)
      for (const status of [201, 202, 205, 302, 303, 307]) {
        expect(reason(safe({ status })), String(status)).to.equal('no-freshness DS-19')
        expect(reason(safe({ status, annotated: { ttl: 1000 } })), String(status)).to.equal('no-freshness DS-19')
      }
      expect(safe({ status: 302, defaults: { ttl: 1000, statuses: [302] } }).store).to.equal(true)
      expect(safe({ status: 200, defaults: { ttl: 1000, statuses: [302] } }).store).to.equal(false)
    })

    it('of an annotation replaces no-cache, max-age and must-revalidate', () => {
      const says = 'no-cache, max-age=0, must-revalidate'
      expect(kept(safe({ says, annotated: { ttl: 5000, staleWhileRevalidate: 1000 } }))).to.deep.include({
        staleAt: NOW + 5000,
        deleteAt: NOW + 6000,
        staleWhileRevalidate: 1000,
        source: 'annotation',
      })
    })

    it('of an annotation replaces no refusal', () => {
      const annotated = { ttl: 5000 }
      for (const says of ['no-store', 'private', 'a="b, no-store'])
        expect(safe({ says, annotated }).store, says).to.equal(false)
      expect(safe({ annotated, fields: [['Vary', '*']] }).store).to.equal(false)
      expect(safe({ annotated, fields: [['Set-Cookie', 'a']] }).store).to.equal(false)
    })

    it('of a targeted field hides Cache-Control with its refusals (DP-1)', () => {
      const fields: Fields = [['cachewell-cache-control', 'max-age=600, stale-while-revalidate=60']]
      expect(kept(safe({ says: 'private, no-store', fields }))).to.include({
        staleAt: NOW + 600_000,
        deleteAt: NOW + 660_000,
        source: 'cachewell-cache-control',
      })
      expect(reason(safe({ says: 'max-age=60', fields: [['Cachewell-Cache-Control', 'no-store']] }))).to.equal(
        'no-store DS-12',
      )
      expect(kept(safe({ says: 'max-age=60', fields: [['CDN-Cache-Control', 'no-store']] })).staleAt).to.equal(
        NOW + 60_000,
      )
      expect(reason(rfc({ says: 'max-age=60', fields: [['CDN-Cache-Control', 'no-store']] }))).to.equal(
        'no-store DS-12',
      )
    })

    it('is guessed in rfc (FRE-11)', () => {
      const fields: Fields = [['Last-Modified', at(-10 * HOUR)]]
      expect(kept(rfc({ fields }))).to.include({ staleAt: NOW + HOUR, source: 'heuristic' })
      expect(reason(rfc({ fields, status: 403 }))).to.equal('no-freshness DS-19')
    })
  })

  describe('stale windows', () => {
    const defaults = { ttl: 60_000, staleWhileRevalidate: 30_000, staleIfError: 600_000 }

    it('of the fields are measured from the end of the lifetime (STA-13)', () => {
      expect(kept(safe({ says: 'max-age=60, stale-while-revalidate=30, stale-if-error=90' }))).to.include({
        staleWhileRevalidate: 30_000,
        staleIfError: 90_000,
        deleteAt: NOW + 150_000,
      })
    })

    it('come from the options where the response gives none', () => {
      const windows = { staleWhileRevalidate: 30_000, staleIfError: 600_000 }
      expect(kept(safe({ defaults }))).to.include(windows)
      expect(kept(safe({ defaults, says: 'max-age=5' }))).to.include(windows)
      expect(kept(safe({ defaults, annotated: { ttl: 5000 } }))).to.include(windows)
      expect(kept(safe({ defaults, says: 'max-age=5, stale-while-revalidate=0' })).staleWhileRevalidate).to.equal(0)
      expect(kept(safe({ defaults, says: 'max-age=5', annotated: { staleIfError: 7 } })).staleIfError).to.equal(7)
    })

    it('are closed where the response forbids it (STA-1, STA-4)', () => {
      const none = { staleWhileRevalidate: 0, staleIfError: 0 }
      for (const says of [
        'max-age=5, must-revalidate',
        'max-age=5, proxy-revalidate',
        's-maxage=5',
        'must-revalidate',
      ]) {
        expect(kept(safe({ defaults, says: `${says}, stale-while-revalidate=9` })), says).to.include(none)
        expect(kept(safe({ defaults, says, annotated: { staleWhileRevalidate: 9 } })), says).to.include(none)
      }
      const idiom = { says: 's-maxage=5, stale-while-revalidate=9', sMaxageAllowsStale: true }
      expect(kept(safe(idiom)).staleWhileRevalidate).to.equal(9000)
    })

    it('are open without end where there is no answer at all, in rfc, unless a window is named (STA-2)', () => {
      expect(kept(rfc({ says: 'max-age=5' })).staleIfDisconnected).to.equal(true)
      expect(kept(rfc({ says: 'max-age=5, stale-if-error=9' })).staleIfDisconnected).to.equal(false)
      expect(kept(rfc({ says: 'max-age=5', annotated: { ttl: 5, staleIfError: 9 } })).staleIfDisconnected).to.equal(
        false,
      )
      expect(kept(rfc({ says: 'max-age=5, must-revalidate' })).staleIfDisconnected).to.equal(false)
      expect(kept(safe({ says: 'max-age=5' })).staleIfDisconnected).to.equal(false)
    })

    it('say whether it may be used at all once stale (STA-1)', () => {
      for (const says of ['must-revalidate', 'proxy-revalidate', 's-maxage=5']) {
        expect(kept(rfc({ says: `max-age=5, ${says}` })).mustRevalidate, says).to.equal(true)
        expect(kept(safe({ says, annotated: { ttl: 5 } })).mustRevalidate, says).to.equal(false)
      }
      expect(kept(rfc({ says: 'max-age=5' })).mustRevalidate).to.equal(false)
    })

    it('do not end what can be validated: it is kept as long again, between a minute and an hour', () => {
      const left = (options: Options) => kept(safe({ ...options, fields: [['ETag', '"a"']] })).deleteAt - NOW
      expect(left({ says: 'max-age=5' })).to.equal(65_000)
      expect(left({ says: 'max-age=600' })).to.equal(1_200_000)
      expect(left({ says: 'max-age=86400' })).to.equal(25 * HOUR)
      expect(left({ says: 'max-age=5, stale-if-error=600' })).to.equal(605_000)
      expect(kept(safe({ says: 'max-age=600' })).deleteAt - NOW).to.equal(600_000)
    })

    it('keep what was never fresh only where somebody says so about this response', () => {
      expect(reason(safe({ defaults, says: 'max-age=0' }))).to.equal('stale DS-20')
      expect(reason(safe({ defaults, annotated: { ttl: 0 } }))).to.equal('stale DS-20')
      expect(kept(safe({ defaults, says: 'max-age=0, stale-while-revalidate=9' })).deleteAt).to.equal(NOW + 9000)
      expect(kept(safe({ annotated: { ttl: 0, staleWhileRevalidate: 9 } })).deleteAt).to.equal(NOW + 9)
      expect(reason(safe({ says: 'max-age=x, stale-while-revalidate=9' }))).to.equal('stale DS-20')
    })
  })

  describe('credentials', () => {
    const KINDS = [
      'cookie',
      'authorization',
      'x-api-key',
      'proxy-authorization',
      'client-certificate',
      'authenticated',
    ] as const

    for (const credentials of KINDS) {
      it(`${credentials}: stored in safe only when the response says public or s-maxage and gives the lifetime`, () => {
        for (const says of ['max-age=60', 'public', 'must-revalidate, max-age=60', 'max-age=60, public=1', '']) {
          expect(reason(safe({ credentials, says })), says).to.equal(`${credentials} DS-14`)
        }
        for (const says of ['public, max-age=60', 's-maxage=60']) {
          expect(kept(safe({ credentials, says })).audience, says).to.equal('everyone')
        }
        expect(kept(safe({ credentials, says: 'public', fields: [['Expires', at(HOUR)]] })).audience).to.equal(
          'everyone',
        )
      })

      it(`${credentials}: needs the scope where an annotation gives the lifetime`, () => {
        const annotated = { ttl: 5000 }
        expect(reason(safe({ credentials, annotated, says: 'public, max-age=60' }))).to.equal(`${credentials} DS-14`)
        expect(kept(safe({ credentials, annotated, permitted: true })).audience).to.equal('everyone')
      })
    }

    it('absent: the audience is everyone only where the response itself says so', () => {
      expect(kept(safe()).audience).to.equal('anonymous')
      expect(kept(safe({ says: 'max-age=60' })).audience).to.equal('anonymous')
      expect(kept(safe({ says: 'public' })).audience).to.equal('anonymous')
      expect(kept(safe({ says: 'public, max-age=60' })).audience).to.equal('everyone')
      expect(kept(safe({ says: 'public, max-age=60', annotated: { ttl: 5 } })).audience).to.equal('anonymous')
      expect(kept(safe({ annotated: { ttl: 5 }, permitted: true })).audience).to.equal('everyone')
    })

    it('in rfc only Authorization needs permission (STO-6, CKI-1)', () => {
      expect(kept(rfc({ credentials: 'cookie', says: 'max-age=60' })).audience).to.equal('everyone')
      expect(kept(rfc({ says: 'max-age=60' })).audience).to.equal('everyone')
      expect(kept(rfc({ annotated: { ttl: 5 } })).audience).to.equal('anonymous')
      expect(kept(rfc({ defaults: { ttl: 5 } })).audience).to.equal('anonymous')
      expect(reason(rfc({ credentials: 'authenticated', says: 'max-age=60' }))).to.equal('authenticated DS-14')
      for (const says of ['max-age=60', 'max-age=60, proxy-revalidate', 'max-age=60, immutable']) {
        expect(reason(rfc({ credentials: 'authorization', says })), says).to.equal('authorization DS-14')
      }
      for (const says of ['public, max-age=60', 's-maxage=60', 'must-revalidate, max-age=60']) {
        expect(kept(rfc({ credentials: 'authorization', says })).audience, says).to.equal('everyone')
      }
    })

    it('are not permitted by a Cache-Control that a targeted field hides (TGT-3)', () => {
      const fields: Fields = [['Cachewell-Cache-Control', 'max-age=60']]
      expect(reason(safe({ credentials: 'authorization', says: 'public', fields }))).to.equal('authorization DS-14')
    })
  })

  it('names the fields that are not stored and those that are not replayed (HDR-5, HDR-6)', () => {
    const says = 'max-age=60, private="X-User", no-cache="X-Token"'
    expect(kept(safe({ says }))).to.deep.include({
      dropFields: ['x-user'],
      withheld: ['x-token'],
      alwaysValidate: false,
    })
  })

  it('withholds the targeted fields that are for this cache alone (TGT-12)', () => {
    const targets = ['x-cache-control', 'cdn-cache-control']
    const fields: Fields = targets.map((name) => [name, 'max-age=60'])
    expect(kept(safe({ targets, fields })).withheld).to.deep.equal(['x-cache-control'])
    expect(kept(safe({ targets })).withheld).to.deep.equal([])
  })

  it('knows what never changes while it is fresh (CCR-12)', () => {
    expect(kept(safe({ says: 'max-age=60, immutable' })).immutable).to.equal(true)
    expect(kept(safe({ says: 'max-age=60' })).immutable).to.equal(false)
    expect(kept(safe({ says: 'max-age=60, immutable', annotated: { ttl: 5 } })).immutable).to.equal(false)
  })

  it('never keeps a cookie in safe, not even where the rest may be shared (DS-15)', () => {
    const fields: Fields = [['Set-Cookie', 'sid=1']]
    expect(kept(safe({ says: 'max-age=60, no-cache="Set-Cookie"', fields })).dropFields).to.deep.equal(['set-cookie'])
    expect(kept(safe({ says: 'max-age=60, private="Set-Cookie"', fields })).dropFields).to.deep.equal(['set-cookie'])
    expect(kept(rfc({ says: 'max-age=60, no-cache="Set-Cookie"', fields })).dropFields).to.deep.equal([])
  })

  it('gives the names in Vary', () => {
    expect(
      kept(
        safe({
          fields: [
            ['Vary', 'B'],
            ['vary', 'a'],
          ],
        }),
      ).vary,
    ).to.deep.equal(['a', 'b'])
  })

  describe('beside http-cache-semantics', () => {
    // Left out where it is known to be wrong: names with upper case, commas inside quotes, lists in Age, broken numbers, and
    // proxy-revalidate, for which it has a lifetime of nothing.
    const member = fc.constantFrom(
      'public',
      'private',
      'no-store',
      'must-revalidate',
      'immutable',
      'foo',
      'bar=1',
      'max-age=0',
      'max-age=60',
      'max-age=3600',
      's-maxage=0',
      's-maxage=600',
    )
    const control = fc.uniqueArray(member, { maxLength: 4, selector: (text) => text.split('=')[0] })
    const expires = fc.constantFrom(undefined, -HOUR, HOUR, 2 * HOUR)
    const age = fc.constantFrom(undefined, 0, 30, 100)
    const status = fc.constantFrom(200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 410)

    it('stores the same, for the same time, in rfc', () => {
      fc.assert(
        fc.property(control, expires, age, status, fc.boolean(), (members, expiresIn, aged, code, authorized) => {
          const headers: Record<string, string> = { date: at(0) }
          if (members.length > 0) headers['cache-control'] = members.join(', ')
          if (expiresIn !== undefined) headers['expires'] = at(expiresIn)
          if (aged !== undefined) headers['age'] = String(aged)
          const request = { method: 'GET', url: '/', headers: authorized ? { authorization: 'x' } : {} }
          const oracle = new CachePolicy(
            request,
            { status: code, headers },
            { shared: true, immutableMinTimeToLive: 0 },
          )
          const left = oracle.storable() ? oracle.maxAge() - (aged ?? 0) : 0
          const verdict = rfc({
            status: code,
            fields: Object.entries(headers),
            credentials: authorized ? 'authorization' : undefined,
          })
          // What came stale is kept for other uses.
          const ours = verdict.store ? Math.max(0, verdict.staleAt - NOW) / 1000 : 0
          expect(ours).to.equal(Math.max(0, left))
        }),
        { numRuns: 500 },
      )
    })
  })
})

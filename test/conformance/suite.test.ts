import { expect } from 'chai'
import { listen } from '../support/app.ts'
import { type Behaviour, CONTROLS, needsOf } from './behaviour.ts'
import { received } from './client.ts'
import { type FaultyCache, type Flaw, flawedCache, greedyCache, passThrough } from './faulty-caches.ts'
import { GROUPS, playedFor } from './groups.ts'
import type { Judgement } from './judge.ts'
import { readCommandLine } from './options.ts'
import { startOrigin } from './origin.ts'
import { playAll } from './play.ts'
import { differences, exitCode, failures, table } from './report.ts'
import { type Verdict, verdictsOf } from './verdict.ts'

const BEHAVIOURS = GROUPS.flatMap(({ behaviours }) => behaviours)

/** Groups that wait for no clock. */
const QUICK = GROUPS.filter(({ name }) => ['Cache-Control parsing', 'Vary parsing', 'Authorization'].includes(name))

type Judgements = ReadonlyMap<Behaviour, Judgement>

/** Play behaviours and what they hang on against a cache in this process. */
async function playAgainst(
  make: (originPort: number) => FaultyCache,
  behaviours: readonly Behaviour[],
): Promise<Judgements> {
  const origin = await startOrigin()
  const cache = make(origin.port)
  const running = await listen(cache.listener)
  try {
    const played = playedFor([{ name: 'test', behaviours }])
    return await playAll(played, { origin, port: running.port, token: 'test' })
  } finally {
    await running.close()
    await cache.close()
    await origin.close()
  }
}

const named = (...ids: string[]): readonly Behaviour[] =>
  ids.map((id) => {
    const found = BEHAVIOURS.find((behaviour) => behaviour.id === id)
    if (found === undefined) throw new Error(`No behaviour is called ${id}`)
    return found
  })

const unwanted = (judgements: Judgements): readonly string[] =>
  verdictsOf(judgements)
    .filter(({ isWanted }) => !isWanted)
    .map(({ behaviour, seen }) => `${behaviour.id}: ${seen}`)

describe('the conformance suite', () => {
  describe('its behaviours', () => {
    it('are at least 250, each with a name of its own that fits into a path', () => {
      const ids = BEHAVIOURS.map(({ id }) => id)
      expect(ids).to.have.length.at.least(250)
      expect(new Set(ids).size).to.equal(ids.length)
      expect(ids.filter((id) => !/^[a-z0-9-]+$/.test(id))).to.deep.equal([])
    })

    it('say where they are written', () => {
      expect(BEHAVIOURS.filter(({ says }) => !/^.+ \(.*RFC \d+.*\)\.$/.test(says)).map(({ id }) => id)).to.deep.equal(
        [],
      )
    })

    it('want an answer where they are checks, and only there', () => {
      const odd = BEHAVIOURS.filter(({ kind, wanted }) => (kind === 'check') !== (wanted !== undefined))
      expect(odd.map(({ id }) => id)).to.deep.equal([])
    })

    it('hang on behaviours that there are, and all of them on both controls', () => {
      const everything = new Map(BEHAVIOURS.map((behaviour) => [behaviour.id, behaviour]))
      const reachable = (behaviour: Behaviour): ReadonlySet<string> => {
        const known = new Set<string>()
        const visit = (one: Behaviour): void => {
          for (const id of needsOf(one)) {
            if (known.has(id)) continue
            known.add(id)
            const found = everything.get(id)
            expect(found, `${one.id} needs ${id}`).to.not.equal(undefined)
            if (found !== undefined) visit(found)
          }
        }
        visit(behaviour)
        return known
      }
      for (const behaviour of BEHAVIOURS) {
        expect(reachable(behaviour), behaviour.id).to.include.all.keys(CONTROLS.reuses, CONTROLS.forgets)
      }
    })
  })

  describe('played', () => {
    it('holds for the cache of this package', async () => {
      const judgements = await playAgainst(
        flawedCache,
        QUICK.flatMap(({ behaviours }) => behaviours),
      )
      expect(unwanted(judgements)).to.deep.equal([])
    })

    it('counts nothing where there is no cache', async () => {
      const judgements = await playAgainst(
        passThrough,
        QUICK.flatMap(({ behaviours }) => behaviours),
      )
      expect(verdictsOf(judgements).filter(({ isWanted }) => isWanted)).to.deep.equal([])
    })

    it('finds each reuse that must not be in a cache that keeps everything', async () => {
      const judgements = await playAgainst(
        greedyCache,
        QUICK.flatMap(({ behaviours }) => behaviours),
      )
      const forbidden = [...judgements].filter(([{ kind, steps }]) => {
        return kind === 'required' && steps.slice(1).some(({ expect: wanted }) => wanted?.from === 'origin')
      })
      expect(forbidden).to.have.length.at.least(15)
      expect(forbidden.filter(([, { holds }]) => holds).map(([{ id }]) => id)).to.deep.equal([])
      expect(verdictsOf(judgements).filter(({ isWanted }) => isWanted)).to.deep.equal([])
    })

    const without =
      (unseen: string): NonNullable<Flaw['field']> =>
      (name, value) =>
        name === unseen ? undefined : value
    const withoutDirective =
      (directive: RegExp): NonNullable<Flaw['field']> =>
      (name, value) =>
        name === 'cache-control' ? value.replace(directive, 'unseen') : value
    const hide =
      (...fields: string[]): NonNullable<Flaw['request']> =>
      ({ headers, rawHeaders }) => {
        for (const field of fields) {
          delete headers[field]
          const index = rawHeaders.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === field)
          if (index !== -1) rawHeaders.splice(index, 2)
        }
      }

    const FLAWS: readonly (readonly [does: string, flaw: Flaw, ids: readonly string[]])[] = [
      ['does not read Vary', { field: without('vary') }, ['vary-other', 'vary-gone', 'vary-star', 'cookie-varies']],
      ['does not read Age', { field: without('age') }, ['fresh-age-counts', 'expires-age-counts', 'age-2147483648']],
      ['does not read ETag', { field: without('etag') }, ['tag-strong', 'tag-validates-strong', 'update-freshness']],
      ['does not read Date', { field: without('date') }, ['expires-before-date', 'hit-date-old', 'fresh-apparent-age']],
      [
        'does not read CDN-Cache-Control',
        { field: without('cdn-cache-control') },
        ['targeted-no-store', 'targeted-long'],
      ],
      ['forgets Set-Cookie', { field: without('set-cookie') }, ['field-set-cookie']],
      [
        'stores in spite of no-store',
        { field: withoutDirective(/no-store/i) },
        ['reply-no-store-fresh', 'parse-empty-members-no-store'],
      ],
      [
        'stores what is private',
        { field: withoutDirective(/private/) },
        ['reply-private-fresh', 'reply-private-s-maxage'],
      ],
      [
        'reuses in spite of no-cache',
        { field: withoutDirective(/no-cache/i) },
        ['reply-no-cache', 'reply-no-cache-any-case'],
      ],
      [
        'serves stale in spite of must-revalidate',
        { field: withoutDirective(/must-revalidate/) },
        ['stale-never-must-revalidate-503', 'stale-never-must-revalidate-closed', 'reply-must-revalidate-stale'],
      ],
      [
        'does not read s-maxage',
        { field: withoutDirective(/s-maxage=\d+/) },
        ['fresh-s-maxage-short', 'fresh-s-maxage-long', 'stale-never-s-maxage-closed'],
      ],
      [
        'serves for ever within stale-while-revalidate',
        {
          field: (name, value) => (name === 'cache-control' ? value.replace(/(stale-[a-z-]+)=\d+/, '$1=99999') : value),
        },
        ['stale-while-over', 'stale-if-error-over'],
      ],
      [
        'treats strong tags as weak',
        { field: (name, value) => (name === 'etag' ? `W/${value.replace('W/', '')}` : value) },
        ['part-if-range-tag', 'tag-304-has-tag'],
      ],
      [
        'does not see credentials',
        { request: hide('authorization') },
        ['credentials-same', 'credentials-other', 'credentials-passed-on'],
      ],
      [
        'does not see conditions',
        { request: hide('if-none-match', 'if-modified-since') },
        ['tag-strong', 'since-equal', 'tag-client-matches'],
      ],
      ['does not see ranges', { request: hide('range') }, ['part-first-last', 'part-unsatisfiable']],
      [
        'does not see what clients ask',
        { request: hide('cache-control') },
        ['ask-no-store-not-stored', 'ask-max-stale', 'ask-no-cache', 'ask-passed-on'],
      ],
      [
        'takes every host for one',
        { request: (req) => void (req.headers.host = 'one.example') },
        ['key-host', 'write-foreign-location'],
      ],
      [
        'takes every query for one',
        { request: (req) => void (req.url = req.url?.replace(/\?.*/, '') ?? '') },
        ['key-query', 'key-query-none', 'write-other-query'],
      ],
      [
        'does not see writes',
        { passes: ({ method }) => method !== 'GET' && method !== 'HEAD' },
        ['write-post-200', 'write-m-search-200', 'write-put-location', 'write-all-variants'],
      ],
      [
        'does not see HEAD',
        { passes: ({ method }) => method === 'HEAD' },
        ['method-head-from-get', 'head-updates-freshness'],
      ],
    ]

    for (const [does, flaw, ids] of FLAWS) {
      it(`finds a cache that ${does}`, async () => {
        const [right, wrong] = await Promise.all([
          playAgainst(flawedCache, named(...ids)),
          playAgainst((port) => flawedCache(port, flaw), named(...ids)),
        ])
        expect(unwanted(right)).to.deep.equal([])
        const controls = named(CONTROLS.reuses, CONTROLS.forgets)
        expect(controls.map((control) => wrong.get(control)?.holds)).to.deep.equal([true, true])
        const found = verdictsOf(wrong).filter(({ isWanted }) => !isWanted)
        expect(found.map(({ behaviour }) => behaviour.id)).to.include.members([...ids])
      })
    }
  })

  describe('its verdicts', () => {
    const behaviour = (id: string, more: Partial<Behaviour> = {}): Behaviour => ({
      id,
      kind: 'required',
      says: 'It does (RFC 9111, 4).',
      steps: [{}, { expect: { from: 'origin' } }],
      ...more,
    })
    const holds: Judgement = { holds: true }
    const fails = (atLast: boolean): Judgement => ({ holds: false, step: 2, atLast, seen: '200 from the cache' })
    const controls: readonly (readonly [Behaviour, Judgement])[] = [
      [behaviour(CONTROLS.reuses, { steps: [{}, { expect: { from: 'cache' } }] }), holds],
      [behaviour(CONTROLS.forgets), holds],
    ]
    const resultsOf = (...some: readonly (readonly [Behaviour, Judgement])[]): readonly Verdict[] =>
      verdictsOf(new Map([...controls, ...some])).slice(controls.length)

    it('count a behaviour only if everything it hangs on holds, however far away', () => {
      const verdicts = resultsOf(
        [behaviour('far'), fails(true)],
        [behaviour('near', { needs: ['far'] }), holds],
        [behaviour('asked', { needs: ['near'] }), holds],
        [behaviour('lone', { needs: ['nowhere'] }), holds],
      )
      expect(verdicts.map(({ result }) => result)).to.deep.equal(['fail', 'blocked', 'blocked', 'blocked'])
      expect(verdicts.map(({ seen }) => seen)).to.deep.equal([
        'step 2: 200 from the cache',
        'far does not hold',
        'far does not hold',
        'nowhere does not hold',
      ])
    })

    it('answer a check by its last step, and want what it wants', () => {
      const check = (wanted: 'yes' | 'no' | 'free'): Behaviour =>
        behaviour(`check-${wanted}`, { kind: 'check', wanted })
      const judged = [holds, fails(true), fails(false)].flatMap((judgement) =>
        resultsOf([check('yes'), judgement], [check('no'), judgement], [check('free'), judgement]),
      )
      expect(judged.map(({ result, isWanted }) => `${result} ${isWanted}`)).to.deep.equal([
        ...['yes true', 'yes false', 'yes true'],
        ...['no false', 'no true', 'no true'],
        ...['unclear false', 'unclear false', 'unclear false'],
      ])
    })

    it('fail a run whose styles do not agree, and one in which a required behaviour does not hold', () => {
      const [good = expect.fail(), other = expect.fail()] = resultsOf(
        [behaviour('a'), holds],
        [behaviour('a'), fails(true)],
      )
      const optional = resultsOf([behaviour('b', { kind: 'optimal' }), fails(true)])
      expect(
        exitCode(
          new Map([
            ['x', [good]],
            ['y', [good]],
          ]),
        ),
      ).to.equal(0)
      expect(exitCode(new Map([['x', optional]]))).to.equal(0)
      expect(exitCode(new Map([['x', [other]]]))).to.equal(1)
      expect(
        differences(
          new Map([
            ['x', [good]],
            ['y', [other]],
          ]),
        ),
      ).to.deep.equal(['a: x pass, y fail'])
      expect(
        exitCode(
          new Map([
            ['x', optional],
            ['y', resultsOf([behaviour('b', { kind: 'optimal' }), holds])],
          ]),
        ),
      ).to.equal(1)
    })

    it('become a table, and a list of what is not as wanted', () => {
      const some = [
        behaviour('a'),
        behaviour('b', { kind: 'optimal' }),
        behaviour('c', { kind: 'check', wanted: 'no' }),
      ]
      const verdicts = resultsOf(...some.map((one, index) => [one, index === 0 ? fails(true) : holds] as const))
      expect(
        table([{ name: 'some', behaviours: some }], verdicts)
          .split('\n')
          .map((line) => line.trim().split(/\s+/)),
      ).to.deep.equal([
        ['required', 'optimal', 'check'],
        ['some', '0/1', '1/1', '0/1'],
        ['all', '0/1', '1/1', '0/1'],
      ])
      expect(failures(verdicts)).to.deep.equal([
        'required a: fail (step 2: 200 from the cache)',
        '    It does (RFC 9111, 4).',
        'check c: yes, wanted: no',
        '    It does (RFC 9111, 4).',
      ])
    })
  })

  describe('its client', () => {
    it('tells interim answers from the final one', () => {
      const { answer, interim } = received(
        Buffer.from(
          'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nhello',
        ),
      )
      expect(interim.map(({ status, fields }) => [status, fields])).to.deep.equal([[103, [['Link', '</a>']]]])
      expect([answer?.status, answer?.header('a'), answer?.text]).to.deep.equal([200, 'b', 'hello'])
    })

    it('has no answer where none came', () => {
      expect(received(Buffer.from('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 20')).answer).to.equal(undefined)
    })
  })

  describe('its command line', () => {
    it('plays everything in every style by default', () => {
      expect(readCommandLine([])).to.include({
        groups: GROUPS,
        help: false,
        list: false,
        base: undefined,
        originPort: 0,
      })
      expect(readCommandLine([]).styles).to.have.length(4)
    })

    it('plays some groups in some styles', () => {
      const { groups, styles } = readCommandLine([
        '--group',
        'pragma',
        '--group',
        'Vary parsing',
        '--style',
        'setHeader',
      ])
      expect(groups.map(({ name }) => name)).to.deep.equal(['Pragma', 'Vary parsing'])
      expect(styles).to.deep.equal(['setHeader'])
    })

    it('takes a cache that runs already', () => {
      const { base, originPort } = readCommandLine(['--base', 'http://127.0.0.1:81', '--origin-port', '82'])
      expect([base?.port, originPort]).to.deep.equal(['81', 82])
    })

    it('says what is wrong with an option', () => {
      expect(() => readCommandLine(['--group', 'x'])).to.throw(/^--group takes one of .*Pragma.*, not "x"\.$/)
      expect(() => readCommandLine(['--style', 'x'])).to.throw(/^--style takes one of setHeader, .*, not "x"\.$/)
      expect(() => readCommandLine(['--base', 'http://127.0.0.1:81'])).to.throw('--base and --origin-port go together.')
      expect(() => readCommandLine(['--base', 'x', '--origin-port', '82'])).to.throw(/^--base takes .*, not "x"\.$/)
      expect(() => readCommandLine(['--base', 'http://127.0.0.1:81', '--origin-port', '65536'])).to.throw(
        /^--origin-port/,
      )
      expect(() =>
        readCommandLine(['--base', 'http://127.0.0.1:81', '--origin-port', '82', '--style', 'setHeader']),
      ).to.throw('--style does not apply to --base.')
    })
  })
})

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough, pipeline, type Readable } from 'node:stream'
import { expect } from 'chai'
import type { Response } from 'express'
import type { Handler } from '../support/app.ts'
import { openExchange } from '../support/http-client.ts'
import { closeSites } from '../support/site.ts'
import { type Answering, controlled, httpDate, openScene, type Reply, type Verdict, validating } from './scene.ts'

const DAY = 86_400_000

describe('test vectors: storage and freshness (36.1)', () => {
  afterEach(closeSites)

  /** Who answers a second request, so many seconds after the first. */
  async function second(answering: Answering, seconds = 0): Promise<Verdict> {
    const scene = await openScene(answering)
    await scene.get()
    scene.pass(seconds)
    return (await scene.get()).verdict
  }

  it('TV-01 max-age=60 is a hit with its age at 59 s and not fresh at 60 s (FRE-1)', async () => {
    const scene = await openScene(controlled('max-age=60'))
    await scene.get()
    scene.pass(59)
    const hit = await scene.get()
    expect([hit.verdict, hit.header('age'), hit.told?.['ttl']]).to.deep.equal(['hit', '59', 1])
    scene.pass(1)
    expect((await scene.get()).verdict).to.equal('miss')
  })

  it('TV-01 max-age=60 with a tag is validated at 60 s (FRE-1, VAL-1)', async () => {
    const scene = await openScene(validating(controlled('max-age=60', { ETag: '"1"' })))
    await scene.get()
    scene.pass(59)
    expect((await scene.get()).verdict).to.equal('hit')
    scene.pass(1)
    const validated = await scene.get()
    expect([validated.verdict, validated.status, validated.text]).to.deep.equal(['validate', 200, 'body 1'])
    expect(scene.calls.at(-1)?.headers['if-none-match']).to.equal('"1"')
  })

  it('TV-02 max-age hides an invalid Expires (FRE-3)', async () => {
    expect(await second(controlled('max-age=60', { Expires: '0' }), 30)).to.equal('hit')
    expect(await second(controlled('max-age=60', { Expires: '0' }), 60)).to.equal('miss')
  })

  it('TV-03 max-age=0 hides an Expires in the future (FRE-3)', async () => {
    const reply: Answering = ({ at }) => controlled('max-age=0', { Expires: httpDate(at + DAY) })
    expect(await second(reply)).to.equal('miss')
    expect(await second(reply, 30)).to.equal('miss')
  })

  it('TV-04 an Expires in another zone than GMT has passed, and nothing is guessed instead (DAT-6, FRE-6)', async () => {
    const reply: Answering = ({ at }) => ({
      fields: { Expires: 'Thu, 18 Aug 2050 02:01:18 UTC', 'Last-Modified': httpDate(at - 100 * DAY) },
    })
    expect(await second(reply)).not.to.equal('hit')
    expect(await second(reply, 1)).not.to.equal('hit')
  })

  context('in Sydney', () => {
    let zone: string | undefined

    beforeEach(() => {
      zone = process.env['TZ']
      process.env['TZ'] = 'Australia/Sydney'
      expect(new Date(0).getTimezoneOffset(), 'the zone is in force').to.equal(-600)
    })
    afterEach(() => {
      if (zone === undefined) delete process.env['TZ']
      else process.env['TZ'] = zone
    })

    for (const [form, expires] of Object.entries({
      'IMF-fixdate': 'Thu, 18 Aug 2050 02:01:18 GMT',
      'lower case': 'thu, 18 aug 2050 02:01:18 gmt',
      'RFC 850': 'Thursday, 18-Aug-50 02:01:18 GMT',
      asctime: 'Thu Aug 18 02:01:18 2050',
    })) {
      it(`TV-05 an Expires as ${form} is fresh until that instant (DAT-1 to DAT-5)`, async () => {
        const scene = await openScene({ fields: { Expires: expires } })
        await scene.get()
        scene.pass(10)
        const hit = await scene.get()
        const left = (Date.UTC(2050, 7, 18, 2, 1, 18) - scene.bench.clock.now()) / 1_000
        expect([hit.verdict, hit.told?.['ttl'], hit.header('age')]).to.deep.equal(['hit', left, '10'])
      })
    }
  })

  it('TV-06 an Expires before Date has passed, though both lie in the future (FRE-5)', async () => {
    const reply: Answering = ({ at }) => ({
      fields: { Date: httpDate(at + 3_600_000), Expires: httpDate(at + 1_800_000) },
    })
    expect(await second(reply)).to.equal('miss')
  })

  it('TV-07 two different max-age are stale at once (FRE-7)', async () => {
    expect(await second(controlled('max-age=60, max-age=10'))).to.equal('miss')
    expect(await second(controlled('max-age=60, max-age=10'), 11)).to.equal('miss')
  })

  it('TV-08 the same max-age twice counts (FRE-7)', async () => {
    const reply = controlled(['max-age=60', 'max-age=60'])
    expect(await second(reply, 59)).to.equal('hit')
    expect(await second(reply, 60)).to.equal('miss')
  })

  for (const control of ['max-age=003600', 'MaX-aGe=3600', 'max-age="3600"']) {
    it(`TV-09 ${control} is fresh for an hour (PAR-6, PAR-7, PAR-9)`, async () => {
      expect(await second(controlled(control), 3_599)).to.equal('hit')
      expect(await second(controlled(control), 3_600)).to.equal('miss')
    })
  }

  for (const control of ['max-age=3600.0', "max-age='3600'", 'max-age= 3600', 'max-age', 'max-age=-1']) {
    it(`TV-10 ${control} is stale, and nothing is guessed instead (PAR-8, FRE-8)`, async () => {
      const reply: Answering = ({ at }) => controlled(control, { 'Last-Modified': httpDate(at - 100 * DAY) })
      expect(await second(reply)).not.to.equal('hit')
    })
  }

  it('TV-11 what stands in quotes is data: storable, and fresh for 1 s (PAR-5)', async () => {
    const scene = await openScene(controlled('ext="max-age=3600, no-store", max-age=1'))
    expect((await scene.get()).told?.['stored']).to.equal(true)
    expect((await scene.get()).verdict).to.equal('hit')
    scene.pass(2)
    expect((await scene.get()).verdict).to.equal('miss')
  })

  for (const seconds of ['99999999999', '2147483649', '99999999999999999999']) {
    it(`TV-12 max-age=${seconds} is fresh, its ttl a sane number (PAR-9)`, async () => {
      const scene = await openScene(controlled(`max-age=${seconds}`))
      await scene.get()
      scene.pass(100)
      const hit = await scene.get()
      expect([hit.verdict, hit.header('age')]).to.deep.equal(['hit', '100'])
      expect(hit.told?.['ttl'])
        .to.satisfy(Number.isSafeInteger)
        .and.be.at.least(2 ** 31 - 101)
    })
  }

  it('TV-13 an Age of 7200, 0 makes max-age=3600 stale (AGE-5)', async () => {
    expect(await second(controlled('max-age=3600', { Age: '7200, 0' }))).to.equal('miss')
  })

  for (const age of ['0, 7200', '-1', '1.5']) {
    it(`TV-14 an Age of ${age} counts as 0 (AGE-5, AGE-6)`, async () => {
      const scene = await openScene(controlled('max-age=3600', { Age: age }))
      await scene.get()
      scene.pass(7)
      const hit = await scene.get()
      expect([hit.verdict, hit.header('age')]).to.deep.equal(['hit', '7'])
      scene.pass(3_593)
      expect((await scene.get()).verdict).to.equal('miss')
    })
  }

  it('TV-15 an Age beyond 32 bits is stale (AGE-7)', async () => {
    expect(await second(controlled('max-age=3600', { Age: '4294967296' }))).to.equal('miss')
  })

  it('TV-16 a head that takes 6 s is stale on arrival with max-age=5, kept for its tag, and given to its client (AGE-1)', async () => {
    const scene = await openScene({ ...controlled('max-age=5', { ETag: '"1"' }), takes: 6 })
    const first = await scene.get()
    expect([first.status, first.text, first.header('age')]).to.deep.equal([200, 'body 1', undefined])
    expect((await scene.get()).verdict).to.equal('validate')
    expect(scene.calls.at(-1)?.headers['if-none-match']).to.equal('"1"')
  })

  for (const [form, control] of Object.entries({
    'before max-age': 's-maxage=10, max-age=3600',
    'after max-age': 'max-age=3600, s-maxage=10',
    'on a line of its own': ['max-age=3600', 's-maxage=10'],
  })) {
    it(`TV-17 s-maxage ${form} beats a longer max-age (FRE-4)`, async () => {
      const reply = validating(controlled(control, { ETag: '"1"' }))
      expect(await second(reply, 9)).to.equal('hit')
      expect(await second(reply, 11)).to.equal('validate')
    })
  }

  it('TV-18 s-maxage beats a shorter max-age (FRE-4)', async () => {
    expect(await second(controlled('max-age=0, s-maxage=60'), 30)).to.equal('hit')
    expect(await second(controlled('max-age=0, s-maxage=60'), 60)).to.equal('miss')
  })

  it('TV-19 a 302 is stored with explicit freshness only (STO-7)', async () => {
    const redirect = { status: 302, body: '' } as const
    const modified: Answering = ({ at }) => ({
      ...redirect,
      fields: { Location: '/b', 'Last-Modified': httpDate(at - 100 * DAY) },
    })
    expect(await second(modified)).to.equal('miss')
    const scene = await openScene({ ...redirect, fields: { Location: '/b', 'Cache-Control': 'max-age=10' } })
    await scene.get()
    const hit = await scene.get()
    expect([hit.verdict, hit.status, hit.header('location')]).to.deep.equal(['hit', 302, '/b'])
  })

  it('TV-20 an unknown status is stored unless it has to be understood (STC-1, CCR-5)', async () => {
    const scene = await openScene({ status: 599, ...controlled('max-age=60') })
    await scene.get()
    const hit = await scene.get()
    expect([hit.verdict, hit.status]).to.deep.equal(['hit', 599])
    expect(await second({ status: 599, ...controlled('must-understand, max-age=60') })).to.equal('miss')
  })

  it('TV-21 must-understand lifts no-store for a status that is understood (CCR-5)', async () => {
    expect(await second(controlled('no-store, must-understand, max-age=60'))).to.equal('hit')
    expect(await second(controlled('no-store, must-understand, max-age=60'), 60)).to.equal('miss')
  })

  it('TV-22 a 429 is never stored (STC-3)', async () => {
    expect(await second({ status: 429, ...controlled('public, max-age=60') })).to.equal('miss')
  })

  for (const control of ['public, private, max-age=60', 's-maxage=60, private', 'public, no-store']) {
    it(`TV-23 ${control} is not stored (CCR-11)`, async () => {
      expect(await second(({ at }) => controlled(control, { 'Last-Modified': httpDate(at - 100 * DAY) }))).to.equal(
        'miss',
      )
    })
  }

  it('TV-24 a private field goes to the first client only (HDR-5)', async () => {
    const scene = await openScene(controlled('private="X-User", max-age=60', { 'X-User': '7', 'X-Other': '8' }))
    expect((await scene.get()).header('x-user')).to.equal('7')
    const hit = await scene.get()
    expect([hit.verdict, hit.header('x-user'), hit.header('x-other')]).to.deep.equal(['hit', undefined, '8'])
  })

  it('TV-25 a no-cache field is left out without validation, and may be what a 304 brings (HDR-6)', async () => {
    const control = 'no-cache="Set-Cookie", max-age=60'
    const reply = controlled(control, { ETag: '"1"', 'Set-Cookie': ['a=1', 'b=2'] })
    const scene = await openScene(validating(reply, { 'Set-Cookie': 'c=3' }))
    expect((await scene.get()).lines('set-cookie')).to.deep.equal(['a=1', 'b=2'])
    const hit = await scene.get()
    expect([hit.verdict, hit.lines('set-cookie')]).to.deep.equal(['hit', []])
    scene.pass(60)
    const validated = await scene.get()
    expect([validated.verdict, validated.status, validated.text]).to.deep.equal(['validate', 200, 'body 1'])
    expect(validated.lines('set-cookie').join()).to.be.oneOf(['', 'c=3'])
    expect((await scene.get()).lines('set-cookie')).to.deep.equal([])
  })

  it('TV-26 Last-Modified 100 days ago is worth a guess of at most a day (FRE-10, FRE-11)', async () => {
    const modified: Answering = ({ at }) => ({ fields: { 'Last-Modified': httpDate(at - 100 * DAY) } })
    expect(await second(modified, 86_399)).to.equal('hit')
    expect(await second(modified, 86_400)).not.to.equal('hit')
    expect(await second((call, number) => ({ ...(modified(call, number) as Reply), status: 403 }))).to.equal('miss')
  })

  it('TV-26 Last-Modified an hour ago is worth a guess of 6 minutes (FRE-11)', async () => {
    const modified: Answering = ({ at }) => ({ fields: { 'Last-Modified': httpDate(at - 3_600_000) } })
    expect(await second(modified, 359)).to.equal('hit')
    expect(await second(modified, 361)).not.to.equal('hit')
  })

  it('TV-27 the policy is read before the fields that Connection names go (HDR-2)', async () => {
    const reply: Answering = ({ at }) =>
      controlled('no-store', {
        Connection: 'close, X-Hop, Cache-Control',
        'X-Hop': '1',
        'Last-Modified': httpDate(at - 100 * DAY),
      })
    expect(await second(reply)).to.equal('miss')
  })

  it('TV-27 the fields that Connection names are not replayed (HDR-2)', async () => {
    const scene = await openScene(controlled('max-age=60', { Connection: 'close, X-Hop', 'X-Hop': '1' }))
    await scene.get()
    const hit = await scene.get()
    expect([hit.verdict, hit.header('x-hop')]).to.deep.equal(['hit', undefined])
  })

  it('TV-28 a request with no-store stores nothing (STO-8)', async () => {
    const scene = await openScene(controlled('max-age=60'))
    await scene.get('/a', { 'Cache-Control': 'no-store' })
    expect((await scene.get()).verdict).to.equal('miss')
  })

  it('TV-28 a request with no-store leaves the entry that is there (STO-8, CCQ-6)', async () => {
    const scene = await openScene(controlled('max-age=60'))
    await scene.get()
    expect((await scene.get('/a', { 'Cache-Control': 'no-store' })).text).to.be.oneOf(['body 1', 'body 2'])
    const hit = await scene.get()
    expect([hit.verdict, hit.text]).to.deep.equal(['hit', 'body 1'])
  })

  it('TV-29 a body shorter than declared is not stored (DS-31, NOD-10)', async () => {
    const scene = await openScene({ ...controlled('max-age=60', { 'Content-Length': '10' }), body: 'abc' })
    await scene.get()
    scene.reply(controlled('max-age=60'))
    const next = await scene.get()
    expect([next.verdict, next.text]).to.deep.equal(['miss', 'body 2'])
  })

  const cuts: Readonly<
    Record<
      string,
      readonly [(source: Readable, res: ServerResponse) => unknown, (source: Readable, socket: Socket) => unknown]
    >
  > = {
    'a piped source that fails after the head': [
      (source, res) => source.on('error', () => {}).pipe(res),
      (source, socket) => {
        source.destroy(new Error('cut'))
        // Nothing ends the response: the client gives up.
        source.once('close', () => socket.destroy())
      },
    ],
    'a pipeline that fails after the head': [
      (source, res) => pipeline(source, res, () => {}),
      (source) => source.destroy(new Error('cut')),
    ],
    'a client that leaves in the middle of a pipe': [
      (source, res) => source.pipe(res),
      (_source, socket) => socket.destroy(),
    ],
  }
  for (const [name, [connect, cut]] of Object.entries(cuts)) {
    it(`TV-30 ${name} leaves nothing stored (INC-4, NOD-12, NOD-13)`, async () => {
      const source = new PassThrough()
      let closed: Promise<unknown> | undefined
      const scene = await openScene({
        write: (res) => {
          closed = once(res, 'close')
          res.set('Cache-Control', 'max-age=60')
          connect(source, res)
        },
      })
      source.write('abc')
      const socket = openExchange(scene.site.port, { path: '/a' })
      await once(socket, 'data')
      cut(source, socket)
      await closed
      scene.reply(controlled('max-age=60'))
      const next = await scene.get()
      expect([next.verdict, next.text]).to.deep.equal(['miss', 'body 2'])
      source.destroy()
    })
  }

  it('TV-31 what a handler finishes after its client has left is stored whole or not at all (NOD-13)', async () => {
    let response: Response | undefined
    const scene = await openScene({
      write: (res) => {
        response = res
        res.set({ 'Cache-Control': 'max-age=60', 'Content-Length': '11' })
        res.write('hello ')
      },
    })
    const socket = openExchange(scene.site.port, { path: '/a' })
    await once(socket, 'data')
    socket.destroy()
    await once(response as Response, 'close')
    response?.end('world')
    scene.reply({ ...controlled('max-age=60'), body: 'hello world' })
    for (let turn = 0; turn < 2; turn++) {
      const next = await scene.get()
      expect([next.status, next.header('content-length'), next.text]).to.deep.equal([200, '11', 'hello world'])
    }
  })

  for (const framework of ['Express 5', 'node:http'] as const) {
    it(`TV-32 fields that only writeHead was given are stored, on ${framework} (NOD-2)`, async () => {
      const scene = await openScene(
        { write: (res) => res.writeHead(200, { 'Cache-Control': 'max-age=60' }).end('x') },
        { framework },
      )
      await scene.get()
      const hit = await scene.get()
      expect([hit.verdict, hit.header('cache-control'), hit.text]).to.deep.equal(['hit', 'max-age=60', 'x'])
    })
  }

  for (const profile of ['safe', 'rfc'] as const) {
    it(`TV-33 the error page of a handler that set max-age and threw is not stored, profile ${profile} (XPR-12, STC-8)`, async () => {
      const broken: Reply = {
        write: (res) => {
          res.set('Cache-Control', 'public, max-age=60')
          throw new Error('down')
        },
      }
      const scene = await openScene(broken, { options: { profile } })
      expect((await scene.get()).status).to.equal(500)
      scene.reply(controlled('max-age=60'))
      const next = await scene.get()
      expect([next.verdict, next.status]).to.deep.equal(['miss', 200])
    })
  }

  it('TV-34 a cookie that an outer hook adds while the head is written keeps it from being stored, profile safe (CKI-3)', async () => {
    let sessions = 0
    const session: Handler = (_req, res, next) => {
      const { writeHead } = res
      res.writeHead = ((...given: Parameters<typeof writeHead>) => {
        res.setHeader('Set-Cookie', `sid=${++sessions}`)
        return writeHead.apply(res, given)
      }) as typeof writeHead
      next()
    }
    const scene = await openScene(controlled('max-age=60'), { options: { profile: 'safe' }, above: [session] })
    expect((await scene.get()).lines('set-cookie')).to.deep.equal(['sid=1'])
    const next = await scene.get()
    expect([next.verdict, next.lines('set-cookie')]).to.deep.equal(['miss', ['sid=2']])
  })

  for (const [form, vary] of Object.entries({ 'in a list': 'Foo, *', 'on two lines': ['*', '*'] })) {
    it(`TV-35 Vary with a * ${form} is never reused (VRY-5)`, async () => {
      expect(await second(controlled('max-age=60', { Vary: vary }))).to.equal('miss')
    })
  }
})

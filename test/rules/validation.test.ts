import { expect } from 'chai'
import type { Response } from 'express'
import type { CacheMiddlewareOptions } from '../../middleware/settings.ts'
import { closeSites } from '../support/site.ts'
import {
  type Answering,
  type Call,
  controlled,
  httpDate,
  openScene,
  type Reply,
  type ReplyFields,
  type Scene,
} from '../vectors/scene.ts'
import { lastOutcome } from './rows.ts'

const FRESH = 'max-age=60'
const TAGGED = { ETag: '"a"' }

interface Wishes {
  readonly control?: string
  readonly fields?: ReplyFields
  readonly options?: CacheMiddlewareOptions
  /** Seconds since it was stored. @default 70 */
  readonly age?: number
}

/** An entry with the tag `"a"` under `/a` that has become stale, and what the handler answers from now on. */
async function stale(
  next: Answering,
  { control = FRESH, fields = {}, options = {}, age = 70 }: Wishes = {},
): Promise<Scene> {
  const scene = await openScene(controlled(control, { ...TAGGED, ...fields }), { options })
  await scene.get()
  scene.pass(age)
  scene.reply(next)
  return scene
}

/** A 304 with these fields. */
function notModified(fields: ReplyFields = {}): Reply {
  return { status: 304, fields: { ...TAGGED, ...fields } }
}

/** The conditions that each run of the handler has seen. */
function conditions({ calls }: Scene): readonly unknown[] {
  return calls.map(({ headers }: Call) => headers['if-none-match'])
}

describe('table V: what the handler says to a validation', () => {
  afterEach(closeSites)

  it('DV-1 + a 304 about the entry updates it, and the client gets it', async () => {
    const scene = await stale(notModified({ 'Cache-Control': 'max-age=100', 'X-New': '1' }))
    const answer = await scene.get()
    expect([answer.status, answer.text, answer.header('x-new')]).to.deep.equal([200, 'body 1', '1'])
    expect(answer.told).to.include({ fwd: 'stale', 'fwd-status': 304, stored: true, ttl: 100 })
    expect(lastOutcome(scene)).to.include({ rule: 'DV-1', storingRule: 'DS-22' })
    scene.pass(99)
    const hit = await scene.get()
    expect([hit.verdict, hit.text, hit.header('age'), hit.header('x-new')]).to.deep.equal(['hit', 'body 1', '99', '1'])
    expect(conditions(scene)).to.deep.equal([undefined, '"a"'])
  })

  it("DV-1 + the client's own condition and range are judged on the entry, not on the 304", async () => {
    const cases: readonly (readonly [Readonly<Record<string, string>>, status: number, text: string])[] = [
      [{ 'If-None-Match': '"a"' }, 304, ''],
      [{ 'If-None-Match': '"b"' }, 200, 'body 1'],
      [{ 'If-Modified-Since': httpDate(Date.UTC(2026, 10, 21)) }, 304, ''],
      [{ Range: 'bytes=0-1' }, 206, 'bo'],
      [{ Range: 'bytes=99-' }, 416, ''],
    ]
    for (const [headers, status, text] of cases) {
      const scene = await stale(notModified(), { fields: { 'Last-Modified': 'Mon, 02 Nov 2026 10:00:00 GMT' } })
      const answer = await scene.get('/a', headers)
      expect([answer.status, answer.text], JSON.stringify(headers)).to.deep.equal([status, text])
      expect(answer.told).to.include({ fwd: 'stale', 'fwd-status': 304 })
    }
  })

  it('DV-1 + what the 304 forbids to keep answers this client, and goes', async () => {
    const scene = await stale(notModified({ 'Cache-Control': 'no-store' }))
    const answer = await scene.get()
    expect([answer.status, answer.text, answer.told?.['stored']]).to.deep.equal([200, 'body 1', false])
    expect(lastOutcome(scene).storingRule).to.equal('DS-12')
    scene.reply(controlled(FRESH))
    expect((await scene.get()).verdict).to.equal('miss')
  })

  it('DV-1 - a 304 that nobody has asked for updates nothing', async () => {
    const scene = await openScene(notModified({ 'Cache-Control': FRESH }))
    const answer = await scene.get()
    expect([answer.status, answer.told?.['stored']]).to.deep.equal([304, false])
    scene.reply(controlled(FRESH))
    expect((await scene.get()).verdict).to.equal('miss')
  })

  context('with another candidate', () => {
    /** Two entries that a client with A: 1 and B: 2 may have; the newer one, with the tag `"2"`, is asked about. */
    async function pair(): Promise<Scene> {
      const scene = await openScene(controlled('max-age=600', { Vary: 'A', ETag: '"1"' }))
      await scene.get('/a', { A: '1', B: '1' })
      scene.reply(controlled('max-age=5', { Vary: 'B', ETag: '"2"' }))
      scene.pass(2)
      await scene.get('/a', { A: '2', B: '2' })
      scene.pass(10)
      return scene
    }
    const both = { A: '1', B: '2' }
    const ofTheOther: Answering = ({ headers }) =>
      headers['if-none-match'] === undefined
        ? controlled(FRESH, { Vary: 'B', ETag: '"1"' })
        : { status: 304, fields: { ETag: '"1"' } }

    it('DV-2 + a 304 about the other one alone: 304 where the client holds it', async () => {
      const scene = await pair()
      scene.reply(ofTheOther)
      const answer = await scene.get('/a', { ...both, 'If-None-Match': '"1"' })
      expect([answer.status, answer.text, answer.header('etag')]).to.deep.equal([304, '', '"1"'])
      expect(conditions(scene).slice(2)).to.deep.equal(['"2"'])
    })

    it('DV-2 + else the handler is asked again without a condition', async () => {
      const scene = await pair()
      scene.reply(ofTheOther)
      const answer = await scene.get('/a', both)
      expect([answer.status, answer.text, answer.header('etag')]).to.deep.equal([200, 'body 4', '"1"'])
      expect(conditions(scene).slice(2)).to.deep.equal(['"2"', undefined])
    })

    it('DV-2 - a 304 about the one that was asked about is answered from that', async () => {
      const scene = await pair()
      scene.reply({ status: 304, fields: { ETag: '"2"' } })
      expect((await scene.get('/a', both)).text).to.equal('body 2')
    })
  })

  it('DV-3 + a 304 about nothing that is stored: the handler is asked again without a condition', async () => {
    for (const fields of [{ ETag: '"z"' }, { ETag: 'W/"z"' }, { 'Last-Modified': httpDate(0) }]) {
      const scene = await stale(({ headers }) =>
        headers['if-none-match'] === undefined ? controlled(FRESH, { ETag: '"z"' }) : { status: 304, fields },
      )
      const answer = await scene.get()
      expect([answer.status, answer.text], JSON.stringify(fields)).to.deep.equal([200, 'body 3'])
      expect(conditions(scene)).to.deep.equal([undefined, '"a"', undefined])
    }
  })

  it('DV-3 + it is the answer to a client that holds what it is about', async () => {
    const scene = await stale({ status: 304, fields: { ETag: '"z"' } })
    const answer = await scene.get('/a', { 'If-None-Match': '"z"' })
    expect([answer.status, answer.header('etag')]).to.deep.equal([304, '"z"'])
    expect(scene.calls).to.have.length(2)
  })

  it('DV-3 + nothing of it gets into the entry', async () => {
    const scene = await stale({ status: 304, fields: { ETag: '"z"', 'Cache-Control': 'max-age=999', 'X-New': '1' } })
    await scene.get('/a', { 'If-None-Match': '"z"' })
    scene.reply({ status: 503 })
    const answer = await scene.get()
    expect([answer.verdict === 'hit', answer.header('x-new')]).to.deep.equal([false, undefined])
  })

  it('DV-3 - one without a validator is about the entry that was asked about (docs/decisions.md)', async () => {
    const scene = await stale({ status: 304, fields: { 'Cache-Control': FRESH } })
    expect((await scene.get()).text).to.equal('body 1')
    expect(scene.calls).to.have.length(2)
  })

  it('DV-3 - a weak tag is enough for what differs in its weakness only', async () => {
    const scene = await stale({ status: 304, fields: { ETag: 'W/"a"' } })
    expect((await scene.get()).text).to.equal('body 1')
    expect(scene.calls).to.have.length(2)
  })

  it('DV-4 + a full answer is what the client gets, and takes the place of the entry', async () => {
    const scene = await stale(controlled(FRESH, { ETag: '"b"' }))
    const answer = await scene.get('/a', { 'If-None-Match': '"a"' })
    expect([answer.verdict, answer.status, answer.text]).to.deep.equal(['validate', 200, 'body 2'])
    expect(answer.told).to.include({ fwd: 'stale', stored: true })
    const hit = await scene.get()
    expect([hit.verdict, hit.text, hit.header('etag')]).to.deep.equal(['hit', 'body 2', '"b"'])
  })

  for (const [what, reply] of Object.entries({
    'says no-store': controlled('no-store'),
    'is a 404 without a lifetime': { status: 404 },
    'is a redirect': { status: 302, fields: { Location: '/b' } },
  } as Record<string, Reply>)) {
    it(`DV-4 + the entry goes where the full answer ${what}`, async () => {
      const scene = await stale(reply, { control: `${FRESH}, stale-if-error=600` })
      const answer = await scene.get()
      expect([answer.status, answer.told?.['stored']]).to.deep.equal([reply.status ?? 200, false])
      scene.reply({ status: 503 })
      const next = await scene.get()
      expect([next.status, next.told?.['fwd']]).to.deep.equal([503, 'uri-miss'])
    })
  }

  it('DV-4 - an answer that is not full, or to another question, leaves the entry alone', async () => {
    const scene = await stale(controlled('no-store'), { control: `${FRESH}, stale-if-error=600` })
    await scene.get('/a', { 'Cache-Control': 'no-store' })
    scene.reply({ status: 503 })
    expect((await scene.get()).text).to.equal('body 1')
  })

  const WINDOW = `${FRESH}, stale-if-error=30`
  const failing: Readonly<Record<string, readonly [Reply, status: number]>> = {
    '500': [{ status: 500 }, 500],
    '502': [{ status: 502 }, 502],
    '503': [{ status: 503 }, 503],
    '504': [{ status: 504 }, 504],
    'an exception': [
      {
        write: () => {
          throw new Error('boom')
        },
      },
      500,
    ],
  }
  for (const [what, [reply, status]] of Object.entries(failing)) {
    it(`DV-5 + after ${what} the entry stands in, as long as its window is open`, async () => {
      const scene = await stale(reply, { control: WINDOW, age: 90 })
      const answer = await scene.get()
      expect([answer.status, answer.text, answer.header('age')]).to.deep.equal([200, 'body 1', '90'])
      expect(answer.told).to.include({ fwd: 'stale', 'fwd-status': status, ttl: -30, detail: 'stale-if-error' })
      expect(lastOutcome(scene).rule).to.equal('DV-5')
    })

    it(`DV-5 - after ${what} it does not where something forbids it or the window is closed`, async () => {
      for (const wishes of [
        { control: WINDOW, age: 91 },
        { control: `${WINDOW}, must-revalidate` },
        { control: `${WINDOW}, proxy-revalidate` },
        { control: `${WINDOW}, s-maxage=60` },
        { control: `${WINDOW}, no-cache` },
      ]) {
        const answer = await (await stale(reply, wishes)).get()
        expect([answer.status, answer.verdict], JSON.stringify(wishes)).to.deep.equal([status, 'validate'])
      }
    })
  }

  it('DV-5 + within the window that the request opens', async () => {
    const scene = await stale({ status: 503 }, { control: `${FRESH}, stale-if-error=0` })
    expect((await scene.get('/a', { 'Cache-Control': 'stale-if-error=10' })).text).to.equal('body 1')
    expect((await scene.get('/a', { 'Cache-Control': 'stale-if-error=9' })).status).to.equal(503)
  })

  it('DV-5 + after a handler that says nothing in time', async () => {
    const held: Response[] = []
    const scene = await stale(
      { write: (res) => void held.push(res) },
      { control: WINDOW, options: { handlerTimeoutMs: 20 } },
    )
    const answer = await scene.get()
    expect([answer.text, answer.told?.['fwd-status']]).to.deep.equal(['body 1', 504])
    held[0]?.end('too late')
    expect((await scene.get()).text).to.equal('body 1')
  })

  it('DV-5 - where the handler takes its time, but nothing may stand in', async () => {
    const scene = await stale(
      { write: (res) => void setTimeout(() => res.end('late'), 40) },
      { control: `${FRESH}, must-revalidate`, options: { handlerTimeoutMs: 10 } },
    )
    expect((await scene.get()).text).to.equal('late')
  })

  it('DV-6 + a failure that no window covers goes through, also at the very end of freshness', async () => {
    for (const age of [60, 70]) {
      const scene = await stale({ status: 503, body: 'sorry' }, { age })
      const answer = await scene.get()
      expect([answer.status, answer.text], String(age)).to.deep.equal([503, 'sorry'])
      expect(lastOutcome(scene).storingRule).to.equal('DV-6')
    }
  })

  it('DV-6 + so it does to a client that has asked for it though the entry is fresh', async () => {
    const scene = await stale({ status: 503, body: 'sorry' }, { age: 10 })
    expect((await scene.get('/a', { 'Cache-Control': 'no-cache' })).text).to.equal('sorry')
  })

  it('DV-6 + nothing of it is stored, and the entry stays as it was', async () => {
    const scene = await stale({ status: 503, fields: { 'Cache-Control': FRESH } }, { control: WINDOW, age: 100 })
    expect((await scene.get()).status).to.equal(503)
    scene.reply(notModified())
    const later = await scene.get()
    expect([later.verdict, later.text]).to.deep.equal(['validate', 'body 1'])
  })

  it('DV-6 - a failure that a window covers does not', async () => {
    const scene = await stale({ status: 503 }, { control: WINDOW })
    expect((await scene.get()).status).to.equal(200)
  })

  for (const status of [501, 505, 507, 599]) {
    it(`DV-7 + ${status} goes through, whatever window is open, and leaves the entry as it was`, async () => {
      const scene = await stale({ status, fields: { 'Cache-Control': FRESH } }, { control: WINDOW })
      expect((await scene.get()).status).to.equal(status)
      expect(lastOutcome(scene).storingRule).to.equal('DV-7')
      scene.reply({ status: 503 })
      expect((await scene.get()).text).to.equal('body 1')
    })
  }

  it('DV-7 - an error of the client is an answer: it makes an end of the entry', async () => {
    const scene = await stale({ status: 410 }, { control: WINDOW })
    expect((await scene.get()).status).to.equal(410)
    scene.reply({ status: 503 })
    expect((await scene.get()).status).to.equal(503)
  })
})

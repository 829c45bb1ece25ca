import { expect } from 'chai'
import type { Handler } from '../support/app.ts'
import { closeSites } from '../support/site.ts'
import { controlled, openScene, validating } from '../vectors/scene.ts'

const FRESH = 'max-age=60'
const ORIGIN = 'https://a.example'

/** A middleware that adds a field while the head is written. */
const late: Handler = (_req, res, next) => {
  const { writeHead } = res
  res.writeHead = ((...args: Parameters<typeof writeHead>) => {
    res.setHeader('X-Late', '1')
    return writeHead.apply(res, args)
  }) as typeof writeHead
  next()
}

describe('Keeper', () => {
  afterEach(closeSites)

  for (const [rule, fields, headers, fix] of [
    ['COR-2', { 'Access-Control-Allow-Origin': ORIGIN }, { Origin: ORIGIN }, 'Vary: Origin'],
    ['CMP-7', { 'Content-Encoding': 'gzip' }, { 'Accept-Encoding': 'gzip' }, 'Vary: Accept-Encoding'],
  ] as const) {
    it(`says once for each path what to change where a guard keeps out (${rule})`, async () => {
      const scene = await openScene(controlled(FRESH, fields), { options: { profile: 'safe' } })
      for (const path of ['/a?x=1', '/a?x=2', '/b']) await scene.get(path, headers)
      expect(scene.bench.warnings).to.have.length(2)
      expect(scene.bench.warnings[0]).to.contain('GET /a was not stored').and.contain(fix)
      expect(scene.bench.warnings[1]).to.contain('GET /b was not stored')
    })
  }

  it('says nothing of what the response itself forbids', async () => {
    const scene = await openScene(controlled('no-store'), { options: { profile: 'safe' } })
    await scene.get()
    expect(scene.bench.warnings).to.deep.equal([])
  })

  it('keeps no Age and no word of its own about the miss (REU-2, HDR-12)', async () => {
    const scene = await openScene(controlled(FRESH, { Age: '5' }), { options: { headers: 'debug' } })
    await scene.get()
    scene.pass(3)
    const hit = await scene.get()
    expect([hit.lines('age'), hit.lines('x-cache')]).to.deep.equal([['8'], ['HIT']])
    expect(hit.lines('cache-status')).to.have.length(1)
  })

  it('dates what has no Date by its head, for the first client and all others (HDR-8)', async () => {
    const scene = await openScene(controlled(FRESH))
    const miss = await scene.get()
    scene.pass(3)
    const hit = await scene.get()
    expect(miss.lines('date')).to.deep.equal(['Fri, 20 Nov 2026 12:00:00 GMT'])
    expect(hit.lines('date')).to.deep.equal(miss.lines('date'))
  })

  it('keeps the tags of an entry through a confirmation that does not repeat them', async () => {
    const reply = controlled(FRESH, { ETag: '"a"', 'Cache-Tag': 'mine' })
    const scene = await openScene(reply)
    await scene.get()
    scene.pass(61)
    scene.reply(validating(reply, { 'Cache-Control': FRESH }))
    expect((await scene.get()).told?.['fwd-status']).to.equal(304)
    expect((await scene.get()).verdict).to.equal('hit')
    await scene.bench.cache.invalidate({ tags: ['mine'] })
    expect((await scene.get()).verdict).to.equal('miss')
  })

  it('asks callbacks once for each answer, also where its head changes late', async () => {
    let asked = 0
    const tags = (): string[] => {
      asked++
      return ['a']
    }
    const scene = await openScene(controlled(FRESH), { options: { tags }, above: [late], inside: [late] })
    const miss = await scene.get()
    const hit = await scene.get()
    expect([miss.header('x-late'), hit.header('x-late'), hit.verdict]).to.deep.equal(['1', '1', 'hit'])
    expect(asked).to.equal(1)
  })
})

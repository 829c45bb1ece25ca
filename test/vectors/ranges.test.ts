import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { closeSites } from '../support/site.ts'
import { type Asked, bodyParts, controlled, openScene, type Reply, type Scene } from './scene.ts'

const DIGITS = '01234567890'

describe('test vectors: ranges (36.5)', () => {
  afterEach(closeSites)

  const digits: Reply = {
    ...controlled('max-age=60', {
      ETag: '"s"',
      'Content-Type': 'text/plain',
      Expires: 'Thu, 18 Aug 2050 02:01:18 GMT',
      'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
    }),
    body: DIGITS,
  }

  /** A scene with an entry of 3 s. */
  async function stored(reply: Reply = digits): Promise<Scene> {
    const scene = await openScene(reply)
    await scene.get()
    scene.pass(3)
    return scene
  }

  /** Ask an entry of 3 s for a range. */
  async function ranged(range: string, headers: Readonly<Record<string, string>> = {}): Promise<Asked> {
    return (await stored()).get('/a', { Range: range, ...headers })
  }

  function expectPart(answer: Asked, content: string, contentRange: string): void {
    expect([answer.verdict, answer.status, answer.text]).to.deep.equal(['hit', 206, content])
    expect(answer.lines('content-range')).to.deep.equal([contentRange])
    expect(answer.lines('content-length')).to.deep.equal([String(content.length)])
    expect([answer.header('age'), answer.header('etag')]).to.deep.equal(['3', '"s"'])
    expect(answer.header('cache-control')).to.equal('max-age=60')
  }

  function expectWhole(answer: Asked): void {
    expect([answer.verdict, answer.status, answer.text]).to.deep.equal(['hit', 200, DIGITS])
    expect([answer.header('content-range'), answer.header('content-length')]).to.deep.equal([undefined, '11'])
    expect(answer.header('age')).to.equal('3')
  }

  for (const [range, content, contentRange] of [
    ['bytes=0-1', '01', 'bytes 0-1/11'],
    ['bytes=1-', '1234567890', 'bytes 1-10/11'],
    ['bytes=-1', '0', 'bytes 10-10/11'],
    ['bytes=5-999', '567890', 'bytes 5-10/11'],
  ] as const) {
    it(`TV-85 ${range} is ${contentRange} (RNG-5, RNG-10)`, async () => {
      const answer = await ranged(range)
      expectPart(answer, content, contentRange)
      expect(answer.header('content-type')).to.equal('text/plain')
    })
  }

  for (const range of ['bytes=11-', 'bytes=-0']) {
    it(`TV-86 ${range} is a 416 that nobody is to keep (RNG-5, RNG-18)`, async () => {
      const answer = await ranged(range)
      expect([answer.verdict, answer.status]).to.deep.equal(['hit', 416])
      expect(answer.header('content-range')).to.equal('bytes */11')
      for (const name of ['cache-control', 'etag', 'expires', 'last-modified']) {
        expect(answer.header(name), name).to.equal(undefined)
      }
    })
  }

  for (const range of ['bytes=5-2', 'lines=0-1', 'bytes=0-1,x']) {
    it(`TV-87 ${range} is ignored (RNG-3, RNG-4)`, async () => {
      expectWhole(await ranged(range))
    })
  }

  it('TV-88 bytes=0-1,4-5 is two parts and no Content-Range of the whole (RNG-11, RNG-13)', async () => {
    const answer = await ranged('bytes=0-1,4-5')
    expect([answer.verdict, answer.status, answer.header('content-range')]).to.deep.equal(['hit', 206, undefined])
    expect(answer.lines('content-length')).to.deep.equal([String(answer.body.length)])
    expect([answer.header('etag'), answer.header('age')]).to.deep.equal(['"s"', '3'])
    const parts = bodyParts(answer)
    expect(parts.map(({ body }) => body.toString())).to.deep.equal(['01', '45'])
    expect(parts.map(({ fields }) => fields)).to.deep.equal([
      { 'content-type': 'text/plain', 'content-range': 'bytes 0-1/11' },
      { 'content-type': 'text/plain', 'content-range': 'bytes 4-5/11' },
    ])
  })

  for (const [condition, status] of [
    ['"s"', 206],
    ['W/"s"', 200],
    ['"t"', 200],
  ] as const) {
    it(`TV-89 If-Range: ${condition} makes a range a ${status} (RNG-7)`, async () => {
      const answer = await ranged('bytes=0-1', { 'If-Range': condition })
      if (status === 206) expectPart(answer, '01', 'bytes 0-1/11')
      else expectWhole(answer)
    })
  }

  it('TV-90 the weak tag of Express never satisfies If-Range (RNG-7)', async () => {
    const scene = await openScene({ write: (res) => res.set('Cache-Control', 'max-age=60').send(DIGITS) })
    const etag = (await scene.get()).header('etag') as string
    expect(etag).to.match(/^W\//)
    const whole = await scene.get('/a', { Range: 'bytes=0-1', 'If-Range': etag })
    expect([whole.verdict, whole.status, whole.text]).to.deep.equal(['hit', 200, DIGITS])
    expect((await scene.get('/a', { Range: 'bytes=0-1' })).status).to.equal(206)
  })

  it('TV-91 a matching If-None-Match comes before a range (CON-22)', async () => {
    const answer = await ranged('bytes=0-1', { 'If-None-Match': '"s"' })
    expect([answer.verdict, answer.status, answer.body.length]).to.deep.equal(['hit', 304, 0])
    expect(answer.header('content-range')).to.equal(undefined)
  })

  it('TV-92 a HEAD knows no ranges (RNG-1)', async () => {
    const answer = await (await stored()).ask({ method: 'HEAD', headers: { Range: 'bytes=0-1' } })
    expect([answer.verdict, answer.status, answer.body.length]).to.deep.equal(['hit', 200, 0])
    expect([answer.header('content-length'), answer.header('content-range')]).to.deep.equal(['11', undefined])
  })

  it('TV-94 a last position of 26 digits is the end (RNG-6)', async () => {
    expectPart(await ranged('bytes=0-99999999999999999999999999'), DIGITS, 'bytes 0-10/11')
  })

  it('TV-95 20 unordered ranges of one byte are ignored (RNG-14)', async () => {
    const members = Array.from({ length: 20 }, (_, index) => (index * 7) % 11)
    expectWhole(await ranged(`bytes=${members.map((member) => `${member}-${member}`).join(',')}`))
  })

  context('with a file', () => {
    let directory: string
    let file: string

    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'cachewell-ranges-'))
      file = join(directory, 'digits.txt')
      await writeFile(file, DIGITS)
    })
    after(() => rm(directory, { recursive: true }))

    it('TV-93 a range of nothing stored: sendFile gives the whole, which is stored, the client gets its part (RNG-20)', async () => {
      const scene = await openScene({ write: (res) => res.sendFile(file, { maxAge: '1h' }) })
      const first = await scene.get('/a', { Range: 'bytes=0-1' })
      expect([first.verdict, first.status, first.text]).to.deep.equal(['miss', 206, '01'])
      expect([first.header('content-range'), first.header('content-length')]).to.deep.equal(['bytes 0-1/11', '2'])
      expect(scene.calls[0]?.headers.range).to.equal(undefined)
      const whole = await scene.get()
      expect([whole.verdict, whole.status, whole.text]).to.deep.equal(['hit', 200, DIGITS])
      const part = await scene.get('/a', { Range: 'bytes=-2' })
      expect([part.verdict, part.status, part.text]).to.deep.equal(['hit', 206, '90'])
    })

    it('TV-96 a 416 that sendFile gives on its own account is passed on, and not stored (RNG-21)', async () => {
      const scene = await openScene({
        write: (res, req) => {
          req.headers.range = 'bytes=99-'
          res.sendFile(file, { maxAge: '1h' })
        },
      })
      const refused = await scene.get()
      expect([refused.status, refused.header('content-range')]).to.deep.equal([416, 'bytes */11'])
      scene.reply(digits)
      const next = await scene.get()
      expect([next.verdict, next.status, next.text]).to.deep.equal(['miss', 200, DIGITS])
    })

    it('TV-96 a 416 to a range that is passed on, the whole being too large to keep, is not stored (RNG-20, RNG-21)', async () => {
      const scene = await openScene(
        { write: (res) => res.sendFile(file, { maxAge: '1h' }) },
        { options: { maxBodySize: 5 } },
      )
      expect((await scene.get()).text).to.equal(DIGITS)
      const refused = await scene.get('/a', { Range: 'bytes=99-' })
      expect([refused.status, refused.header('content-range')]).to.deep.equal([416, 'bytes */11'])
      expect(scene.calls.at(-1)?.headers.range).to.equal('bytes=99-')
      const next = await scene.get()
      expect([next.verdict, next.status, next.text]).to.deep.equal(['miss', 200, DIGITS])
    })
  })
})

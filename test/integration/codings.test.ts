import type { RequestListener } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import type { CacheOptions } from '../../lib/cache-options.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { closeNodes, eventually, isHit, type Node, startNode } from '../support/sharing.ts'
import { zlibWork } from '../support/zlib-work.ts'

const TEXT = 'text that can be compressed '.repeat(100)
const GZIP = { 'Accept-Encoding': 'gzip' }

const answering: RequestListener = (_req, res) => {
  res.setHeader('Content-Type', 'text/plain')
  res.setHeader('ETag', '"v1"')
  res.end(TEXT)
}

describeWithRedis('codings of what Redis keeps', () => {
  let server: RedisServer
  let namespaces = 0
  let shared: CacheOptions
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())
  beforeEach(() => {
    shared = { redis: server.url, namespace: `codings-${namespaces++}`, deadlineMs: 1_000 }
  })
  afterEach(closeNodes)

  /** A node that answers from what another has stored. */
  async function nodeAfterOther(options: CacheOptions = {}): Promise<Node> {
    const writer = await startNode(new Map(), shared, answering)
    await writer.cache.ready()
    await writer.get('/a')
    const node = await startNode(new Map(), { ...shared, ...options }, answering)
    await node.cache.ready()
    await eventually(async () => isHit(await node.get('/a')))
    return node
  }

  it('go out as they are stored: nothing is compressed again', async () => {
    const node = await nodeAfterOther({ memory: false })
    const turns = 5
    const work = await zlibWork(async () => {
      for (let turn = 0; turn < turns; turn++) {
        const answer = await node.send({ path: '/a', headers: GZIP })
        expect([
          isHit(answer),
          answer.header('content-encoding'),
          answer.header('etag'),
          answer.header('vary'),
        ]).to.deep.equal([true, 'gzip', '"v1;cw-gzip"', 'Accept-Encoding'])
        expect(answer.header('content-length')).to.equal(String(answer.body.length))
      }
    })
    // What is stored is inflated once for each answer, and that is all.
    expect(work).to.equal(turns)
    expect(gunzipSync((await node.send({ path: '/a', headers: GZIP })).body).toString()).to.equal(TEXT)
    expect(node.cache.stats().limits.codings).to.include({ peak: 0 })
  })

  it('are not made for each answer where there is no memory to keep them', async () => {
    const node = await nodeAfterOther({ memory: false })
    const work = await zlibWork(async () => {
      const answer = await node.send({ path: '/a', headers: { 'Accept-Encoding': 'br' } })
      expect([answer.header('content-encoding'), answer.header('vary'), answer.text]).to.deep.equal([
        undefined,
        'Accept-Encoding',
        TEXT,
      ])
    })
    expect(work).to.equal(1)
  })

  it('are at hand in the memory of a process that has read them, and counted', async () => {
    const node = await nodeAfterOther()
    const work = await zlibWork(async () => {
      for (let turn = 0; turn < 3; turn++) {
        expect((await node.send({ path: '/a', headers: GZIP })).header('content-encoding')).to.equal('gzip')
      }
    })
    expect(work).to.equal(0)
    expect(node.cache.stats().stats.memoryUsed).to.be.above(TEXT.length)
    await node.send({ path: '/a', headers: { 'Accept-Encoding': 'br' } })
    await eventually(async () => {
      const answer = await node.send({ path: '/a', headers: { 'Accept-Encoding': 'br' } })
      return answer.header('content-encoding') === 'br'
    })
    // One coding does not cost the other.
    const both = await node.send({ path: '/a', headers: GZIP })
    expect([both.header('content-encoding'), gunzipSync(both.body).toString()]).to.deep.equal(['gzip', TEXT])
  })
})

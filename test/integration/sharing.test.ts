import { connect } from 'node:net'
import { expect } from 'chai'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { closeNodes, type Database, eventually, isHit, type Node, startNode } from '../support/sharing.ts'

describeWithRedis('processes that share a Redis', () => {
  let server: RedisServer
  let database: Database
  let a: Node
  let b: Node
  let namespaces = 0
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())
  beforeEach(async () => {
    database = new Map()
    const options = { redis: server.url, namespace: `sharing-${namespaces++}`, deadlineMs: 1_000 }
    a = await startNode(database, options)
    b = await startNode(database, options)
    await Promise.all([a.cache.ready(), b.cache.ready()])
  })
  afterEach(closeNodes)

  /** Read on A, then on B until B answers from what A has stored. */
  const share = async (path: string): Promise<void> => {
    await a.get(path)
    await eventually(async () => isHit(await b.get(path)))
  }

  it('run a handler that answers at once only once for requests that come together', async () => {
    // Memory is in use, and its mirror confirmed.
    await a.get('/warm')
    await eventually(() => a.cache.engine.store.peek('R 1 app G http://shop.example/warm') !== undefined)
    const calls = a.calls
    // One connection, all requests in one packet: their look-ups share a command, and its answer comes to all at once.
    const socket = connect(a.port, '127.0.0.1')
    socket.write('GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(20))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString()
    })
    await eventually(() => text.split('HTTP/1.1 200').length === 21)
    socket.destroy()
    expect(a.calls - calls).to.equal(1)
  })

  it('answer from what another has stored, with the same bytes and fields', async () => {
    const first = await a.get('/x')
    expect(isHit(first)).to.equal(false)
    await eventually(async () => (await a.cache.entries()).entries.length === 1)
    const second = await b.get('/x')
    expect(isHit(second)).to.equal(true)
    expect(second.text).to.equal('0')
    for (const name of ['content-type', 'date', 'content-length'])
      expect(second.header(name)).to.equal(first.header(name))
    expect([a.calls, b.calls]).to.deep.equal([1, 0])
  })

  it('read the new row everywhere once the writer has its answer', async () => {
    for (let round = 1; round <= 20; round++) {
      await Promise.all([a.get('/x'), b.get('/x')])
      const [writer, reader] = round % 2 === 0 ? [a, b] : [b, a]
      expect((await writer.send({ method: 'PUT', path: '/x' })).status).to.equal(204)
      const answers = await Promise.all([reader.get('/x'), writer.get('/x')])
      expect(answers.map(({ text }) => text)).to.deep.equal([String(round), String(round)])
    }
  })

  it('drop the resource itself after an unsafe request without any tags (RFC 9111 s. 4.4)', async () => {
    await share('/x')
    await share('/y')
    await a.send({ method: 'POST', path: '/x' })
    expect((await b.get('/x')).text).to.equal('1')
    expect(isHit(await b.get('/y'))).to.equal(true)
  })

  for (const [what, targets, hits] of [
    ['tags', { tags: ['x'] }, { '/x': false, '/xy': true, '/z?q': true }],
    ['a tag of several', { tags: ['all'] }, { '/x': false, '/xy': false, '/z?q': false }],
    ['a pattern', { pattern: '/x*' }, { '/x': false, '/xy': false, '/z?q': true }],
    ['a pattern with ?', { pattern: '/?' }, { '/x': false, '/xy': true, '/z?q': true }],
    ['a pattern with a literal ?', { pattern: '/z\\?q' }, { '/x': true, '/xy': true, '/z?q': false }],
    ['a path', { urls: ['/z?q', '/z'] }, { '/x': true, '/xy': true, '/z?q': false }],
    ['a URL without scheme', { urls: ['//shop.example/x', '//other.example/xy'] }, { '/x': false, '/xy': true }],
    ['an absolute URL', { urls: ['http://shop.example/x', 'https://shop.example/xy'] }, { '/x': false, '/xy': true }],
    ['a key of the service', { keys: ['/x'], pattern: 'x*' }, { '/x': true, '/xy': true, '/z?q': true }],
    ['everything', { all: true }, { '/x': false, '/xy': false, '/z?q': false }],
  ] as const) {
    it(`drop by ${what} exactly what is named`, async () => {
      for (const path of Object.keys(hits)) await share(path)
      const { ack } = await a.cache.invalidate(targets)
      expect(ack).to.equal('all')
      for (const [path, hit] of Object.entries(hits)) expect(isHit(await b.get(path)), path).to.equal(hit)
    })
  }

  it('see a value that another has replaced or deleted', async () => {
    await a.cache.set('k', 1)
    expect(await b.cache.get('k')).to.equal(1)
    expect(await b.cache.get('k')).to.equal(1)
    expect(await a.cache.set('k', 2)).to.equal(true)
    expect(await b.cache.get('k')).to.equal(2)
    expect(await b.cache.delete('k')).to.equal(true)
    expect(await a.cache.get('k')).to.equal(undefined)
  })

  it('void the loaders of each other (I1)', async () => {
    let open: (value: string) => void = () => {}
    const slow = a.cache.remember('k', { tags: ['t'] }, () => new Promise<string>((resolve) => (open = resolve)))
    await eventually(() => a.cache.stats().limits.flights.current === 1)
    await b.cache.invalidate({ tags: ['t'] })
    expect(await a.cache.remember('k', { tags: ['t'] }, () => 'new')).to.equal('new')
    open('old')
    expect(await slow).to.equal('old')
    expect(await a.cache.get('k')).to.equal('new')
    expect(await b.cache.get('k')).to.equal('new')
  })

  it('void the fills of each other, and nobody who comes later waits for one (I1, I23)', async () => {
    let release: () => void = () => {}
    a.hold(new Promise((resolve) => (release = resolve)))
    const early = a.get('/x')
    await eventually(() => a.calls === 1)
    expect((await b.send({ method: 'PUT', path: '/x' })).status).to.equal(204)
    a.hold(undefined)
    expect((await a.get('/x')).text).to.equal('1')
    release()
    expect((await early).text).to.equal('0')
    for (const node of [a, b]) expect((await node.get('/x')).text).to.equal('1')
  })

  it('run the handler once for many requests at the same time', async () => {
    let release: () => void = () => {}
    a.hold(new Promise((resolve) => (release = resolve)))
    const requests = Array.from({ length: 50 }, () => a.get('/x'))
    await eventually(() => a.calls === 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    release()
    const answers = await Promise.all(requests)
    expect(a.calls).to.equal(1)
    expect(new Set(answers.map(({ text }) => text))).to.deep.equal(new Set(['0']))
    expect(answers.filter((answer) => answer.header('cache-status')?.includes('collapsed'))).to.have.length(49)
  })

  it('say where a value comes from', async () => {
    await a.cache.set('k', 1)
    expect(await b.cache.get('k', { source: true })).to.deep.equal({ value: 1, source: 'redis' })
    await eventually(async () => (await b.cache.get('k', { source: true }))?.source === 'memory')
  })

  it('keep namespaces apart, invalidations included', async () => {
    const other = await startNode(database, { redis: server.url, namespace: 'another' })
    await other.cache.ready()
    await share('/x')
    expect(isHit(await other.get('/x'))).to.equal(false)
    await other.cache.invalidate({ all: true })
    expect(isHit(await b.get('/x'))).to.equal(true)
  })

  it('keep the entries of versions apart, and invalidate them together', async () => {
    const options = { redis: server.url, namespace: `sharing-${namespaces - 1}`, version: 2 }
    const next = await startNode(database, options)
    await next.cache.ready()
    await share('/x')
    expect(isHit(await next.get('/x'))).to.equal(false)
    await eventually(async () => isHit(await next.get('/x')))
    expect(isHit(await b.get('/x'))).to.equal(true)
    await next.cache.invalidate({ tags: ['x'] })
    expect(isHit(await b.get('/x'))).to.equal(false)
  })

  it('share with memory: false as well', async () => {
    const bare = await startNode(database, { redis: server.url, namespace: `sharing-${namespaces - 1}`, memory: false })
    await bare.cache.ready()
    await share('/x')
    expect(isHit(await bare.get('/x'))).to.equal(true)
    expect(bare.cache.stats().stats).to.include({ memoryUsed: 0, keyCount: 0 })
    await bare.send({ method: 'PUT', path: '/x' })
    expect((await a.get('/x')).text).to.equal('1')
  })

  it('are healthy, and say so', async () => {
    const health = await a.cache.health()
    expect(health).to.include({ status: 'pass', connected: true })
    expect(health.latencyMs).to.be.within(0, 1_000)
    expect(a.cache.stats()).to.include({ status: 'healthy' })
    expect(a.cache.stats().redis).to.deep.equal({ configured: true, connected: true, errors: 0, corrupt: 0 })
    expect(a.warnings).to.deep.equal([])
  })
})

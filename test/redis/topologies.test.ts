import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { askRedis } from '../support/ask-redis.ts'
import { type FaultProxy, startProxy } from '../support/fault-proxy.ts'
import { startCluster } from '../support/redis-cluster.ts'
import { startReplicated } from '../support/redis-replica.ts'
import { describeWithRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

/** A server that answers with the same bytes, and what it has heard. */
interface Echo {
  readonly server: Server
  readonly port: number
  heard: string
  ended: boolean
  readonly sockets: Set<Socket>
}

/** Long enough that something that is not held back would have arrived (ms). */
const LONG_MS = 100

async function startEcho(): Promise<Echo> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      echo.heard += chunk.toString()
      socket.write(chunk)
    })
    socket.on('end', () => {
      echo.ended = true
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const echo: Echo = { server, port: (server.address() as AddressInfo).port, heard: '', ended: false, sockets }
  return echo
}

function stopEcho({ server, sockets }: Echo): void {
  for (const socket of sockets) socket.destroy()
  server.close()
}

describe('the fault proxy', () => {
  let [echo, other]: Echo[] = []
  let proxy: FaultProxy
  let client: Socket
  let received: string
  const dial = async (): Promise<Socket> => {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received += chunk.toString()
    })
    await once(socket, 'connect')
    return socket
  }
  beforeEach(async () => {
    ;[echo, other] = [await startEcho(), await startEcho()]
    proxy = await startProxy({ port: echo.port })
    received = ''
    client = await dial()
  })
  afterEach(async () => {
    client.destroy()
    await proxy.close()
    for (const server of [echo, other]) if (server !== undefined) stopEcho(server)
  })
  const says = (text: string): Promise<void> => eventually(() => received === text)
  const heardBy = (server: Echo | undefined): string => server?.heard ?? ''

  it('passes everything, and counts the links', async () => {
    client.write('a')
    await says('a')
    expect(proxy.connections).to.equal(1)
    client.end()
    await eventually(() => echo?.ended === true)
    expect(proxy.connections).to.equal(1)
    for (const socket of echo?.sockets ?? []) socket.end()
    await eventually(() => proxy.connections === 0)
  })

  it('keeps every byte for as long as told, in their order', async () => {
    proxy.delay(LONG_MS)
    const startedAt = performance.now()
    client.write('a')
    await sleep(10)
    client.write('b')
    await says('ab')
    // A timer may fire a little early.
    expect(performance.now() - startedAt).to.be.greaterThan(2 * LONG_MS - 10)
  })

  it('passes nothing in a black hole, and loses nothing', async () => {
    proxy.blackHole()
    client.write('a')
    const late = await dial()
    late.write('b')
    await sleep(LONG_MS)
    expect([heardBy(echo), received, proxy.connections, client.destroyed]).to.deep.equal(['', '', 2, false])
    proxy.pass()
    await eventually(() => received.length === 2)
    expect([...received].toSorted()).to.deep.equal(['a', 'b'])
    late.destroy()
  })

  it('hides in a black hole that the server has gone', async () => {
    client.write('a')
    await says('a')
    proxy.blackHole()
    for (const socket of echo?.sockets ?? []) socket.destroy()
    await sleep(LONG_MS)
    expect(client.readableEnded).to.equal(false)
    const ended = once(client, 'end')
    proxy.pass()
    await ended
  })

  it('holds one direction only', async () => {
    proxy.oneWay('down')
    client.write('a')
    await eventually(() => heardBy(echo) === 'a')
    await sleep(LONG_MS)
    expect(received).to.equal('')
    proxy.oneWay('up')
    await says('a')
    client.write('b')
    await sleep(LONG_MS)
    expect(heardBy(echo)).to.equal('a')
    proxy.pass()
    await says('ab')
  })

  it('sends RST', async () => {
    const failed = new Promise<NodeJS.ErrnoException>((resolve) => client.once('error', resolve))
    proxy.reset()
    expect((await failed).code).to.equal('ECONNRESET')
    client = await dial()
    client.write('a')
    await says('a')
  })

  it('ends one direction only', async () => {
    client.write('a')
    await says('a')
    const ended = once(client, 'end')
    proxy.halfClose('down')
    await ended
    client.write('b')
    await eventually(() => heardBy(echo) === 'ab')
    expect([received, echo?.ended]).to.deep.equal(['a', false])
    proxy.halfClose('up')
    await eventually(() => echo?.ended === true)
  })

  it('goes to another server', async () => {
    proxy.retarget(other?.port ?? 0)
    await eventually(() => client.closed)
    client = await dial()
    client.write('a')
    await says('a')
    expect([heardBy(echo), heardBy(other)]).to.deep.equal(['', 'a'])
  })
})

describeWithRedis('servers that tests start', function () {
  this.timeout(60_000)

  it('lose as a replica what is written after they were detached', async () => {
    const pair = await startReplicated()
    const read = (port: number) => askRedis(port, (client) => client.get('k'))
    const write = (port: number, value: number) => askRedis(port, (client) => client.set('k', value))
    await write(pair.primary.port, 1)
    await pair.synced()
    expect(await read(pair.replica.port)).to.equal('1')
    await pair.detach()
    await write(pair.primary.port, 2)
    const refusal = await write(pair.replica.port, 3).catch(String)
    expect(refusal).to.include('READONLY')
    await pair.promote()
    expect(await read(pair.replica.port)).to.equal('1')
    expect(await write(pair.replica.port, 3)).to.equal('OK')
    await pair.stop()
  })

  it('move slots with their keys as a cluster, and keep them when restarted', async () => {
    const cluster = await startCluster()
    const slot = await cluster.slotOf('{x}')
    const from = await cluster.ownerOf(slot)
    const to = cluster.nodes.find((node) => node !== from)
    if (to === undefined) throw new Error('One node only')
    for (let index = 0; index < 7; index++) await askRedis(from.port, (client) => client.set(`{x}${index}`, index))
    const counts = () => Promise.all([from, to].map(({ port }) => askRedis(port, (client) => client.dbsize())))
    let halfway: readonly number[] = []
    await cluster.migrateSlot(slot, to, async () => {
      halfway = await counts()
    })
    expect(halfway).to.deep.equal([3, 4])
    expect(await counts()).to.deep.equal([0, 7])
    expect(await cluster.ownerOf(slot)).to.equal(to)
    await to.restart()
    await cluster.ok()
    expect(await counts()).to.deep.equal([0, 0])
    expect(await cluster.ownerOf(slot)).to.equal(to)
    await cluster.stop()
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { sinceMember } from '../../support/redis-registry.ts'
import type { Scripts } from './script.ts'

const HOUR_MS = 3_600_000

/** That nobody answers from memory who may not know. */
export const LEASES: Scripts = {
  'a process that hears nothing is waited for': async (world) => {
    const [writer, reader] = [
      await world.process({ leaseMs: 800 }),
      await world.process({ isDeaf: true, leaseMs: 800 }),
    ]
    await reader.lease()
    await reader.heartbeat()
    await writer.write()
    await reader.read()
  },

  'a process that is cut off stops answering from memory': async (world) => {
    const [writer, reader] = [await world.process(), await world.process()]
    await reader.lease()
    reader.wire.cut()
    await writer.write()
    await reader.read()
  },

  'a step of the wall clock prolongs no lease': async (world) => {
    const [writer, reader] = [await world.process(), await world.process()]
    await reader.lease()
    reader.wire.cut()
    const now = Date.now
    Date.now = () => now() - HOUR_MS
    try {
      await writer.write()
      await reader.read()
    } finally {
      Date.now = now
    }
  },

  'a lease counts from when it was asked for': async (world) => {
    const [writer, reader] = [await world.process(), await world.process({ isDeaf: true, leaseMs: 600 })]
    await reader.lease()
    const answer = reader.wire.hold('sync')
    await answer.held()
    await sleep(500)
    reader.wire.fail('sync')
    answer.release()
    await writer.write()
    await reader.read()
  },

  'a registry that was lost may have named somebody': async (world) => {
    const [writer, reader] = [
      await world.process({ leaseMs: 600 }),
      await world.process({ isDeaf: true, leaseMs: 600 }),
    ]
    await reader.lease()
    await reader.heartbeat()
    await world.ask((client) => client.del(world.metadata('r')))
    await writer.write()
    await reader.read()
  },

  'a server that has taken over may not know of the latest leases': async (world) => {
    const [writer, reader] = [await world.process({ leaseMs: 600 }), await world.process({ leaseMs: 600 })]
    await reader.lease()
    await reader.leave()
    await world.loseLeases()
    // It came as a copy from another server.
    await world.ask(async (client) => {
      await client.zrem(world.metadata('r'), await sinceMember(client))
      await client.zadd(world.metadata('r'), 1, '@since', 1, '@sinceabc')
    })
    await writer.write()
    await reader.read()
  },

  'a server that is reached anew may not know of the latest leases': async (world) => {
    const [writer, reader] = [await world.process({ leaseMs: 600 }), await world.process({ leaseMs: 600 })]
    await reader.lease()
    await reader.leave()
    await world.loseLeases()
    await writer.reconnect()
    await writer.write()
    await reader.read()
  },

  'a receipt is sent by who has caught up': async (world) => {
    const [writer, reader] = [await world.process({ leaseMs: 4_000 }), await world.process({ leaseMs: 4_000 })]
    await reader.lease()
    const answer = reader.wire.hold('sync')
    const written = writer.write()
    await answer.held()
    await reader.read()
    answer.release()
    await written
    await reader.read()
  },

  'an answer to a question from before proves nothing': async (world) => {
    const [writer, reader] = [await world.process(), await world.process({ isDeaf: true })]
    await reader.lease()
    const answer = reader.wire.hold('sync')
    await answer.held()
    await writer.write()
    const read = reader.read()
    await sleep(20)
    answer.release()
    await read
  },
}

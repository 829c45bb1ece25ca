import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Scripts } from './script.ts'
import { eventually, nameOf, tagOf } from './world.ts'

/** That a server that has lost metadata, or all that was acknowledged of late, serves nothing old. */
export const LOSSES: Scripts = {
  'tags that were lost are missed': async (world) => {
    const writer = await world.process({ memory: false })
    await writer.fill()
    await writer.write()
    await world.ask((client) => client.del(world.metadata('i')))
    const newcomer = await world.process({ memory: false })
    await newcomer.read()
  },

  'patterns that were lost are missed': async (world) => {
    const writer = await world.process({ memory: false })
    await writer.fill()
    await writer.write({ pattern: nameOf(0) })
    await world.ask((client) => client.del(world.metadata('b')))
    const newcomer = await world.process({ memory: false })
    await newcomer.read()
  },

  'soft invalidations that were lost are missed': async (world) => {
    const writer = await world.process({ memory: false })
    await writer.fill()
    await writer.writeSoftly()
    await world.ask((client) => client.del(world.metadata('s')))
    const newcomer = await world.process({ memory: false })
    await newcomer.read()
  },

  'announcements that come late, twice or out of order change nothing': async (world) => {
    const [writer, reader] = [await world.process({ leaseMs: 1_000 }), await world.process({ leaseMs: 1_000 })]
    await reader.lease()
    const announced: [channel: string, message: string][] = []
    await world.ask(async (client: Redis) => {
      await client.psubscribe('*bus')
      client.on('pmessage', (_, channel, message) => announced.push([channel, message]))
      for (let write = 0; write < 3; write++) await writer.write()
      await writer.invalidate({ tags: ['unused'] })
    })
    await reader.lease()
    await writer.write()
    await world.ask(async (client) => {
      for (const [channel, message] of [...announced.toReversed(), ...announced]) await client.publish(channel, message)
    })
    await reader.read()
    await sleep(50)
    await reader.read()
    if (announced.length === 0) throw new Error('Nothing was announced')
  },

  'an older history is noticed by who knew a newer one': async (world) => {
    const writer = await world.process({ memory: false })
    await writer.invalidate({ tags: ['unused'] })
    const back = await world.snapshot()
    await writer.invalidate({ tags: ['unused'] })
    await writer.fill()
    await back()
    await writer.write()
    const newcomer = await world.process({ memory: false })
    await newcomer.read()
  },

  'a number alone is no receipt': async (world) => {
    const knower = await world.process({ memory: false, leaseMs: 4_000 })
    const reader = await world.process({ leaseMs: 4_000 })
    await knower.invalidate({ tags: ['unused'] })
    const back = await world.snapshot()
    await knower.invalidate({ tags: ['unused'] })
    await knower.invalidate({ tags: ['unused'] })
    await reader.lease()
    await back()
    const newcomer = await world.process({ memory: false, leaseMs: 4_000 })
    await newcomer.write({ tags: [tagOf(0)] })
    await reader.read()
  },

  'a life of the metadata that had ended does not come back': async (world) => {
    const writer = await world.process({ memory: false })
    await writer.fill()
    const back = await world.snapshot()
    await writer.write({ all: true })
    await back()
    await writer.read()
  },

  'what was lost before it was acknowledged is not acknowledged': async (world) => {
    const writer = await world.process({ memory: false, leaseMs: 1_000 })
    const reader = await world.process({ isDeaf: true, leaseMs: 1_000 })
    await reader.lease()
    const back = await world.snapshot()
    const before = await world.token()
    await reader.heartbeat()
    const written = writer.write()
    await eventually('Redis knows it', async () => (await world.token()) !== before)
    await back()
    await written
    await reader.read()
  },
}

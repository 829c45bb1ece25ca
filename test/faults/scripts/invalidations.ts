import type { Scripts } from './script.ts'
import { nameOf, tagOf } from './world.ts'

/** That an invalidation is noticed, whatever names the entry and whoever reads. */
export const INVALIDATIONS: Scripts = {
  'a reader without memory sees a tag': async (world) => {
    const [writer, reader] = [await world.process(), await world.process({ memory: false })]
    await reader.fill()
    await writer.write()
    await reader.read()
  },

  'a newcomer sees a tag': async (world) => {
    const writer = await world.process({ memory: false })
    await writer.fill()
    await writer.write()
    const newcomer = await world.process({ memory: false })
    await newcomer.read()
  },

  'a reader without memory sees a pattern': async (world) => {
    const [writer, reader] = [await world.process(), await world.process({ memory: false })]
    await reader.fill()
    await writer.write({ pattern: 'item:*' })
    await reader.read()
  },

  'a newcomer sees a pattern': async (world) => {
    const writer = await world.process({ memory: false })
    await writer.fill()
    await writer.write({ pattern: 'item:?' })
    const newcomer = await world.process({ memory: false })
    await newcomer.read()
  },

  'a pattern of which the record was dropped still counts': async (world) => {
    const [writer, reader] = [await world.process(), await world.process({ memory: false })]
    await reader.fill()
    await writer.write({ pattern: nameOf(0) })
    await writer.invalidate({ pattern: Array.from({ length: 300 }, (_, number) => `unused:${number}`) })
    await reader.read()
  },

  'a reader without memory sees a soft invalidation': async (world) => {
    const [writer, reader] = [await world.process(), await world.process({ memory: false })]
    await reader.fill()
    await writer.writeSoftly()
    await reader.read()
  },

  'a newcomer sees a soft invalidation': async (world) => {
    const writer = await world.process({ memory: false })
    await writer.fill()
    await writer.writeSoftly()
    const newcomer = await world.process({ memory: false })
    await newcomer.read()
  },

  'memory sees a soft invalidation': async (world) => {
    const [writer, reader] = [await world.process(), await world.process()]
    await reader.lease()
    await writer.writeSoftly()
    await reader.read()
  },

  'memory is judged again': async (world) => {
    const [writer, reader] = [await world.process({ leaseMs: 4_000 }), await world.process({ leaseMs: 4_000 })]
    await reader.lease()
    await writer.write()
    await reader.read()
  },

  'memory forgets everything': async (world) => {
    const [writer, reader] = [await world.process({ leaseMs: 4_000 }), await world.process({ leaseMs: 4_000 })]
    await reader.lease()
    await writer.write({ all: true })
    await reader.read()
  },

  'a tag reaches every partition': async (world) => {
    const [writer, reader] = [await world.process({ partitions: 4 }), await world.process({ partitions: 4 })]
    const keys = [0, 1, 2, 3, 4, 5, 6, 7]
    for (const key of keys) await reader.lease(key)
    for (const key of keys) world.commit(key)
    await writer.write({ tags: ['all'] })
    for (const key of keys) {
      world.promise(key)
      await reader.read(key)
    }
  },

  'an own invalidation says nothing of those before it': async (world) => {
    const [other, reader] = [await world.process({ memory: false }), await world.process({ memory: false })]
    await reader.fill()
    await other.write()
    await reader.invalidate({ tags: ['unused'] })
    await reader.read()
  },

  'an own invalidation counts though the mirror could not follow': async (world) => {
    const [other, reader] = [
      await world.process({ memory: false }),
      await world.process({ isDeaf: true, leaseMs: 2_000 }),
    ]
    await reader.lease()
    reader.wire.fail('sync')
    await other.invalidate({ tags: ['unused'] }, 'redis')
    await reader.write()
    await reader.read()
  },

  'what Redis has not confirmed is gone here': async (world) => {
    const writer = await world.process({ leaseMs: 4_000, deadlineMs: 200 })
    await writer.lease()
    world.server.pause()
    try {
      await writer.writeUnconfirmed()
      await writer.read()
    } finally {
      world.server.resume()
    }
  },

  'a value that was set voids what is being filled': async (world) => {
    const [writer, reader] = [await world.process(), await world.process()]
    const fill = reader.holdRead()
    await fill.loading
    world.commit()
    const value = world.versionOf(0)
    if (!(await writer.cache.set(nameOf(0), value, { tags: [tagOf(0)] }))) throw new Error('It was not set')
    world.promise()
    await fill.finish()
    await reader.read()
    await writer.read()
  },
}

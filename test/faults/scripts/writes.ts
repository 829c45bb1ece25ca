import { Signal } from '../../support/signal.ts'
import type { Script, Scripts } from './script.ts'
import type { Hold } from './wire.ts'
import { nameOf, type Process, type World } from './world.ts'

/** A write is given up after two leases, and the machine may be busy. */
const PATIENT = { leaseMs: 4_000 } as const

/** A write and another one of the same key by other processes, and then all of them read. */
const twoWriters =
  (write: (slow: Process, quick: Process, reader: Process, world: World) => Promise<void>): Script =>
  async (world) => {
    const [slow, quick, reader] = [
      await world.process(PATIENT),
      await world.process(PATIENT),
      await world.process(PATIENT),
    ]
    await reader.lease()
    await write(slow, quick, reader, world)
    for (const process of [slow, quick, reader]) await process.read()
  }

/** That a write leaves what it has written, but not where another one may have come after it. */
export const WRITES: Scripts = {
  'what was written is kept': async (world) => {
    const [writer, reader] = [await world.process(PATIENT), await world.process(PATIENT)]
    await reader.lease()
    await writer.writeThrough()
    for (const { cache } of [writer, reader]) {
      if ((await cache.get(nameOf(0))) !== 1) world.breaches.push('What was written is not kept')
    }
  },

  'the copy of a write in which another one was saved is not kept': twoWriters(async (slow, quick, reader) => {
    await slow.writeThrough({
      after: async () => {
        await quick.writeThrough()
        await reader.read()
      },
    })
  }),

  'the copy of a write that began in another one is not kept': twoWriters(async (slow, quick) => {
    const [slowBegins, quickCommits, slowEnds] = [new Signal(), new Signal(), new Signal()]
    const quickWrites = async (): Promise<void> => {
      await slowBegins.given
      await quick.writeThrough({
        after: async () => {
          quickCommits.give()
          await slowEnds.given
        },
      })
    }
    const written = quickWrites()
    await slow.writeThrough({
      before: async () => {
        slowBegins.give()
        await quickCommits.given
      },
    })
    slowEnds.give()
    await written
  }),

  'the copy of a write of which the end comes late is not kept': twoWriters(async (slow, quick) => {
    let written = Promise.resolve()
    const end = await new Promise<Hold>((resolve) => {
      written = slow.writeThrough({ after: async () => resolve(slow.wire.hold('invalidate')) })
    })
    await end.held()
    await quick.writeThrough()
    end.release()
    await written
  }),

  'the copy of a write is not kept where Redis has lost the one that overtook it': twoWriters(
    async (slow, quick, _, world) => {
      // Who holds a lease is waited for, and so it knows.
      await slow.lease()
      await slow.writeThrough({
        after: async () => {
          const back = await world.snapshot()
          await quick.writeThrough()
          await back()
        },
      })
    },
  ),

  'a value that was set is not kept over one that was set after it': twoWriters(async (slow, quick, _, world) => {
    await slow.lease()
    const answer = slow.wire.hold('invalidate')
    const written = slow.set()
    await answer.held()
    await quick.set()
    world.promise()
    answer.release()
    await written
  }),

  'the copy of a write that was overtaken by tag is not kept': twoWriters((slow, quick) =>
    slow.writeThrough({ after: () => quick.write() }),
  ),

  'the copy of a write that was overtaken by pattern is not kept': twoWriters((slow, quick) =>
    slow.writeThrough({ after: () => quick.write({ pattern: 'item:*' }) }),
  ),
}

import { MapStore } from '../../support/map-store.ts'
import type { Script, Scripts } from './script.ts'
import { nameOf, type Process, type ProcessOptions, type World } from './world.ts'

/** A process and a reader that share a fallback store, which has what the process has read and memory and Redis have lost. */
const withLostEntry =
  (options: ProcessOptions, course: (reader: Process, writer: Process, world: World) => Promise<void>): Script =>
  async (world) => {
    const store = new MapStore()
    const writer = await world.process({ fallback: [store] })
    const reader = await world.process({ staleIfRedisDown: 0, fallback: [store], ...options })
    if (options.memory !== false) await reader.lease(1)
    await reader.fill()
    await eventuallyKept(store)
    await reader.cache.engine.store.evict([`V 1 ${nameOf(0)}`])
    await course(reader, writer, world)
  }

async function eventuallyKept(store: MapStore): Promise<void> {
  while (![...store.entries.keys()].some((key) => key.endsWith(nameOf(0)))) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** That a store of the application gives nothing of before an invalidation, whatever it has. */
export const FALLBACKS: Scripts = {
  'a fallback store has what Redis has lost': withLostEntry({}, async (reader, _writer, world) => {
    const found = await reader.cache.get(nameOf(0), { source: true })
    if (found?.source !== 'fallback') world.breaches.push('The fallback store was not asked, or not believed')
  }),

  'a fallback store gives nothing of before an invalidation': withLostEntry({}, async (reader, writer) => {
    await writer.write()
    await reader.read()
  }),

  'a fallback store gives nothing of before an invalidation that this process has not heard of': withLostEntry(
    // Without memory it holds no lease: nobody waits until it knows.
    { memory: false },
    async (reader, writer) => {
      await writer.write()
      // What was read from Redis would have told.
      reader.wire.fail('read')
      await reader.read()
    },
  ),

  'a fallback store gives nothing when Redis has been away for longer than it may be': withLostEntry(
    { staleIfRedisDown: '0.001s' },
    async (reader, writer) => {
      await reader.leave()
      await writer.write()
      await reader.read()
    },
  ),
}

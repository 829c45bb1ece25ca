import { setTimeout as sleep } from 'node:timers/promises'
import type { Scripts } from './script.ts'

/** That a write which the cache knows of does not race with its own commit. */
export const CHANGES: Scripts = {
  'nothing is served from before a commit while the write is under way': async (world) => {
    const [writer, reader] = [await world.process(), await world.process()]
    await reader.lease()
    await writer.change(async () => {
      await reader.read()
      await reader.read()
      world.commit()
      world.promise()
      await reader.read()
    })
    await reader.read()
  },

  'a newcomer serves nothing from before a commit while the write is under way': async (world) => {
    const writer = await world.process()
    await writer.change(async () => {
      const newcomer = await world.process()
      await newcomer.read()
      await newcomer.read()
      world.commit()
      world.promise()
      await newcomer.read()
    })
  },

  'what is read while a write is under way is not kept': async (world) => {
    const [writer, reader] = [await world.process(), await world.process()]
    let [loading, finish] = [Promise.resolve(), async () => 0]
    await writer.change(async () => {
      ;({ loading, finish } = reader.holdRead())
      await loading
      world.commit()
    })
    await finish()
    await reader.read()
    await writer.read()
  },

  'writes under way that were lost are told again': async (world) => {
    const [writer, reader] = [await world.process(), await world.process()]
    await reader.lease()
    await writer.change(async () => {
      await world.ask((client) => client.del(world.metadata('c')))
      // A newcomer finds that something is missing, and does not know what.
      const newcomer = await world.process()
      await newcomer.read()
      await newcomer.lease(1)
      // Some heartbeats of those who know, and of the newcomer.
      await sleep(300)
      await newcomer.read()
      await newcomer.read()
      world.commit()
      world.promise()
      await newcomer.read()
    })
  },
}

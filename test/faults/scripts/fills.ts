import { setTimeout as sleep } from 'node:timers/promises'
import { LOCK_WAIT_MS } from '../../../lib/lease.ts'
import type { Targets } from '../../../lib/targets.ts'
import type { Script, Scripts } from './script.ts'
import { type Process, tagOf } from './world.ts'

/** A reader of values, or of pages. */
type Read = (process: Process, key?: number) => Promise<number>
const readValue: Read = (process, key) => process.read(key)
const readPage: Read = (process, key) => process.readPage(key)

const countsAsOfItsBeginning =
  (read: Read): Script =>
  async (world) => {
    const [writer, filler] = [await world.process(), await world.process({ memory: false })]
    const fill = filler.holdRead(() => read(filler))
    await fill.loading
    await writer.write()
    // It has heard of the invalidation before the fill ends.
    await read(filler, 1)
    await fill.finish()
    await sleep(50)
    await read(filler)
  }

const isNotKeptAfter =
  (targets: Targets | undefined, breach: string): Script =>
  async (world) => {
    const [writer, filler] = [await world.process(), await world.process({ memory: false })]
    const fill = filler.holdRead()
    await fill.loading
    await writer.write(targets)
    await fill.finish()
    await sleep(100)
    if ((await world.stored()) > 0) world.breaches.push(breach)
  }

const isNotJoinedAfterInvalidation: Script = async (world) => {
  const [writer, reader] = [await world.process(), await world.process()]
  const flight = reader.holdRead()
  await flight.loading
  await writer.write()
  await reader.read(1)
  const late = reader.read()
  await sleep(50)
  await flight.finish()
  await late
}

const isNotJoinedWithRedisAway =
  (read: Read): Script =>
  async (world) => {
    const [writer, reader] = [await world.process(), await world.process()]
    const flight = reader.holdRead(() => read(reader))
    await flight.loading
    await reader.leave()
    await writer.write()
    const late = read(reader)
    await sleep(50)
    await flight.finish()
    await late
  }

const isNotJoinedWithRedisLate =
  (read: Read): Script =>
  async (world) => {
    const [writer, reader] = [await world.process(), await world.process({ memory: false, deadlineMs: 50 })]
    const flight = reader.holdRead(() => read(reader))
    await flight.loading
    await writer.write()
    const answer = reader.wire.hold('read')
    const late = read(reader)
    await sleep(150)
    answer.release()
    await flight.finish()
    await late
  }

/** That nothing is kept or handed out that was read before an invalidation. */
export const FILLS: Scripts = {
  'a fill counts as of its beginning': countsAsOfItsBeginning(readValue),
  'a fill over HTTP counts as of its beginning': countsAsOfItsBeginning(readPage),

  'an overtaken fill is not kept': isNotKeptAfter(undefined, 'Redis keeps a fill that an invalidation had overtaken'),
  'a fill from before everything was forgotten is not kept': isNotKeptAfter(
    { all: true },
    'Redis keeps a fill from before everything was forgotten',
  ),

  'nobody joins a flight from before an invalidation': isNotJoinedAfterInvalidation,
  'nobody joins a flight from before an invalidation that finds nothing': async (world) => {
    world.startEmpty()
    await isNotJoinedAfterInvalidation(world)
  },

  'nobody joins a flight of which nothing is known, Redis being away': isNotJoinedWithRedisAway(readValue),
  'no request joins a flight of which nothing is known, Redis being away': isNotJoinedWithRedisAway(readPage),
  'nobody joins a flight of which nothing is known, Redis being late': isNotJoinedWithRedisLate(readValue),
  'no request joins a flight of which nothing is known, Redis being late': isNotJoinedWithRedisLate(readPage),

  'nobody joins a read from before, not knowing what has happened since': async (world) => {
    const [writer, reader] = [await world.process(), await world.process({ memory: false })]
    await reader.fill()
    const answer = reader.wire.hold('read')
    const early = reader.read()
    await answer.held()
    await writer.write()
    const late = reader.read()
    answer.release()
    await Promise.all([early, late])
  },

  'nobody joins a read from before the lease ran out': async (world) => {
    const [writer, reader] = [await world.process(), await world.process({ isDeaf: true })]
    await writer.fill()
    await reader.lease(1)
    const [answer, heartbeats] = [reader.wire.hold('read'), reader.wire.hold('sync')]
    const early = reader.read()
    await answer.held()
    await writer.write()
    const late = reader.read()
    answer.release()
    await early
    heartbeats.release()
    await late
  },

  'a filler that comes late replaces no newer fill': async (world) => {
    const [slow, reader] = [await world.process({ memory: false }), await world.process({ memory: false })]
    const fill = slow.holdRead()
    await fill.loading
    await sleep(LOCK_WAIT_MS)
    world.commit()
    await reader.fill()
    world.promise()
    await fill.finish()
    await sleep(50)
    await reader.read()
  },

  'nobody joins a flight of which nothing is known, the link being cut': async (world) => {
    const [writer, reader] = [await world.process(), await world.process()]
    const flight = reader.holdRead()
    await flight.loading
    reader.wire.cut()
    await writer.write()
    const late = reader.read()
    await sleep(50)
    await flight.finish()
    await late
  },

  'memory keeps nothing that it cannot judge': async (world) => {
    const [writer, filler] = [await world.process(), await world.process()]
    const fill = filler.holdRead()
    await fill.loading
    await writer.write()
    for (let call = 0; call < 9; call++) {
      await writer.invalidate({ tags: Array.from({ length: 120 }, (_, number) => `unused:${call}:${number}`) })
    }
    await filler.read(1)
    await filler.lease(1)
    const answer = filler.wire.hold('store')
    await fill.finish()
    await answer.held()
    await filler.read()
    answer.release()
  },

  'what was not there is looked for again after a write': async (world) => {
    world.startEmpty()
    const [writer, reader] = [await world.process(), await world.process({ negativeTtl: '1h' })]
    await reader.read()
    await reader.read()
    await writer.write()
    await reader.read()
  },

  'a fill of a history that was lost is not kept': async (world) => {
    const filler = await world.process({ memory: false })
    await filler.invalidate({ tags: ['unused'] })
    const back = await world.snapshot()
    await filler.invalidate({ tags: ['unused'] })
    const fill = filler.holdRead()
    await fill.loading
    await back()
    const writer = await world.process({ memory: false })
    await writer.write({ tags: [tagOf(0)] })
    await fill.finish()
    await sleep(100)
    await writer.read()
  },
}

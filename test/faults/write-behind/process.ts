import { setTimeout as sleep } from 'node:timers/promises'
import { CacheError } from '../../../lib/errors.ts'
import { endWithParent } from '../../support/end-with-parent.ts'
import type { FromDatabase, FromProcess, ProcessSettings } from './messages.ts'
import { rowsOf, sharedCache } from './rows.ts'

/** A web process, which updates rows as fast as it may, or a worker, which saves them; it ends when its parent lets go of it. */

/** The way to the database and back takes up to this long, each (ms). */
const WAY_MS = 3
const READ_SHARE = 0.2
const REFUSED_MS = 50

const { role, name, redis, keys, concurrency } = JSON.parse(process.argv[2] ?? '{}') as ProcessSettings
const waiting = new Map<number, (answer: FromDatabase) => void>()
let questions = 0
let updates = 0
let outages = 0
let isStopping = false

const cache = sharedCache(redis)
for (const event of ['degraded', 'recovered'] as const) cache.on(event, () => outages++)
const rows = rowsOf({
  cache,
  worker: role === 'worker',
  load: (key) => ask((id) => ({ kind: 'load', id, key })),
  save: (key, value, { version }) => ask((id) => ({ kind: 'save', id, key, version, value: String(value) })),
})

async function ask(question: (id: number) => FromProcess): Promise<string | null> {
  await sleep(Math.random() * WAY_MS)
  const id = ++questions
  const answered = new Promise<FromDatabase>((resolve) => waiting.set(id, resolve))
  tell(question(id))
  const { value, error } = await answered
  waiting.delete(id)
  await sleep(Math.random() * WAY_MS)
  if (error !== undefined) throw new Error(error)
  return value
}

async function update(): Promise<void> {
  while (!isStopping) {
    const key = `row-${Math.floor(Math.random() * keys)}`
    const value = `${name}.${++updates}`
    try {
      const { version } = await rows.write(key, value)
      tell({ kind: 'acknowledged', key, version, value })
      if (Math.random() < READ_SHARE) await read(key, version)
    } catch (error) {
      tell({ kind: 'refused', code: error instanceof CacheError ? error.code : String(error) })
      await sleep(REFUSED_MS)
    }
  }
}

async function read(key: string, version: number): Promise<void> {
  const before = outages
  const value = String(await rows(key))
  const isAlone = outages !== before || cache.stats().status === 'degraded'
  tell(isAlone ? { kind: 'read alone' } : { kind: 'read', key, version, value })
}

function tell(message: FromProcess): void {
  if (process.connected) process.send?.(message)
}

process.on('message', (message: FromDatabase | 'stop') => {
  if (message === 'stop') isStopping = true
  else waiting.get(message.id)?.(message)
})
endWithParent()
process.once('unhandledRejection', (cause) => {
  tell({ kind: 'failed', error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) })
})

await rows.ready()
tell({ kind: 'ready' })
if (role === 'web') {
  await Promise.all(Array.from({ length: concurrency }, update))
  tell({ kind: 'stopped' })
}

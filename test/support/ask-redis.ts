import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** Ask one server something over a connection of its own. */
export async function askRedis<T>(port: number, ask: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    commandTimeout: 5_000,
    retryStrategy: () => null,
  })
  // What fails is told by the command.
  client.on('error', () => {})
  try {
    await client.connect()
    return await ask(client)
  } finally {
    client.disconnect()
  }
}

/**
 * Wait for a condition of servers; what cannot be asked yet is not so yet.
 *
 * @throws when it does not come true in time
 */
export async function untilServers(what: string, withinMs: number, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`Not within ${withinMs} ms: ${what}`)
    await sleep(20)
  }
}

/** A field of an answer such as that to `INFO`. */
export function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]
}

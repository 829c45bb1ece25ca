import { once } from 'node:events'
import { connect } from 'node:net'
import type { Redis } from 'ioredis'

/** Bytes that a Redis has received and sent so far. */
export interface Traffic {
  readonly bytesIn: number
  readonly bytesOut: number
}

export async function trafficOf(client: Redis): Promise<Traffic> {
  const info = await client.info('stats')
  const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
  return { bytesIn: field('total_net_input_bytes'), bytesOut: field('total_net_output_bytes') }
}

/** The names of the commands that clients send from now on. */
export interface Listening {
  /** What was sent until now; commands of scripts are not among it. */
  end(): readonly string[]
}

/** Listen on a bare connection: ioredis takes what comes together with the answer to MONITOR for a fault. */
export async function listenToRedis(port: number): Promise<Listening> {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1')
  })
  // Its server may end first.
  socket.on('error', () => {})
  socket.write('MONITOR\r\n')
  await once(socket, 'data')
  return {
    end: () => {
      socket.destroy()
      return [...heard.matchAll(/^\+[\d.]+ \[\d+ (?!lua)[^\]]+\] "(\w+)"/gm)].map(([, name = '']) => name.toLowerCase())
    },
  }
}

/** How often each of these was sent, the most frequent first: `mget 2, evalsha 1`. */
export function counted(names: readonly string[], divisor: number = 1): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${Number((count / divisor).toFixed(2))}`)
    .join(', ')
}

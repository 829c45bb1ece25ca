import { Redis } from 'ioredis'

/** A command as a server received it. */
export interface Received {
  readonly name: string
  readonly args: readonly string[]
}

/** What servers are told, by clients and by nobody else: commands of scripts are not among them. */
export interface Monitor {
  readonly received: Received[]
  stop(): void
}

/** Listen to everything that clients send to these servers. */
export async function monitorRedis(ports: readonly number[]): Promise<Monitor> {
  const received: Received[] = []
  const clients = await Promise.all(
    ports.map(async (port) => {
      const client = new Redis({ port, host: '127.0.0.1' })
      const monitor = await client.monitor()
      client.disconnect()
      // Its server may end first.
      monitor.on('error', () => {})
      monitor.on('monitor', (_time: string, [name = '', ...args]: string[], source: string) => {
        if (source !== 'lua') received.push({ name: name.toLowerCase(), args })
      })
      return monitor
    }),
  )
  return {
    received,
    stop: () => {
      for (const client of clients) client.disconnect()
    },
  }
}

/** The keys of a command; undefined for one that nobody said how to read. */
export function keysOf({ name, args }: Received): readonly string[] | undefined {
  switch (name) {
    case 'mget':
    case 'unlink':
      return args
    case 'eval':
    case 'evalsha':
      return args.slice(2, 2 + Number(args[1]))
    default:
      return WITHOUT_KEYS.includes(name) ? [] : undefined
  }
}

const WITHOUT_KEYS = [
  'ping',
  'scan',
  'publish',
  'info',
  'client',
  'cluster',
  'subscribe',
  'hello',
  'select',
  'auth',
  'quit',
]

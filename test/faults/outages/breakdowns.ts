import { Redis } from 'ioredis'
import { type FaultProxy, startProxy } from '../../support/fault-proxy.ts'
import { freePort } from '../../support/free-port.ts'
import { type RedisServer, startRedis } from '../../support/redis-server.ts'

/** A Redis that can be broken in every way there is, reached through a network that can be, too. */
export class BreakableRedis {
  readonly server: RedisServer
  readonly proxy: FaultProxy
  #admin: Redis
  /** Runs what never ends. */
  #stray: Redis | undefined

  private constructor(server: RedisServer, proxy: FaultProxy) {
    this.server = server
    this.proxy = proxy
    this.#admin = this.#connect()
  }

  static async start(): Promise<BreakableRedis> {
    const server = await startRedis({ args: ['--busy-reply-threshold', '300'] })
    return new BreakableRedis(server, await startProxy({ port: server.port }))
  }

  /** Send a command from outside of the application. */
  call(command: string, ...args: string[]): Promise<unknown> {
    return this.#admin.call(command, ...args)
  }

  /** Occupy the server with a script of somebody else that never ends. */
  occupy(): void {
    this.#stray = this.#connect()
    this.#stray.eval('while true do end', 0).catch(() => {})
  }

  /** Start again, empty. */
  async restart(): Promise<void> {
    this.#stray?.disconnect()
    this.#admin.disconnect()
    await this.server.restart()
    this.#admin = this.#connect()
  }

  async stop(): Promise<void> {
    this.#stray?.disconnect()
    this.#admin.disconnect()
    await this.proxy.close()
    await this.server.stop()
  }

  #connect(): Redis {
    const client = new Redis(this.server.port, { retryStrategy: null })
    // Its end is what some breakdowns are about.
    client.on('error', () => {})
    return client
  }
}

/** A way in which Redis fails, and how it comes back. */
export interface Breakdown {
  readonly name: string
  /** Whether Redis is of no use at all, so that the breaker has to open. */
  readonly isOutage: boolean
  /** Reached through the proxy, so that the network can fail. */
  readonly isNetwork?: true
  inject(redis: BreakableRedis): Promise<unknown> | void
  heal(redis: BreakableRedis): Promise<unknown> | void
}

export const BREAKDOWNS: readonly Breakdown[] = [
  {
    name: 'killed (SIGKILL)',
    isOutage: true,
    inject: ({ server }) => server.kill9(),
    heal: (redis) => redis.restart(),
  },
  {
    name: 'stopped (SIGSTOP)',
    isOutage: true,
    inject: ({ server }) => server.pause(),
    heal: ({ server }) => server.resume(),
  },
  {
    name: 'black hole in the network',
    isOutage: true,
    isNetwork: true,
    inject: ({ proxy }) => proxy.blackHole(),
    heal: ({ proxy }) => proxy.pass(),
  },
  {
    name: 'BUSY until SCRIPT KILL',
    isOutage: true,
    inject: (redis) => redis.occupy(),
    heal: (redis) => redis.call('SCRIPT', 'KILL'),
  },
  {
    name: 'BUSY until restarted',
    isOutage: true,
    inject: (redis) => redis.occupy(),
    heal: (redis) => redis.restart(),
  },
  {
    name: 'READONLY (REPLICAOF)',
    isOutage: true,
    inject: async (redis) => redis.call('REPLICAOF', '127.0.0.1', String(await freePort())),
    heal: (redis) => redis.call('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'out of memory (noeviction)',
    isOutage: false,
    inject: (redis) => redis.call('CONFIG', 'SET', 'maxmemory', '1'),
    heal: (redis) => redis.call('CONFIG', 'SET', 'maxmemory', '0'),
  },
]

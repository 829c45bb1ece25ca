import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ListenOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** @default every interface */
  readonly host?: string
}

/** A server that has its port and no listener yet. */
export interface ListeningServer {
  readonly server: Server
  readonly port: number
  /** Finish what is being answered, then let go of the port. */
  readonly close: () => Promise<void>
}

/** How long open requests may take to finish when a server is closed. */
const GRACE_MS = 2_000

/**
 * Take the port.
 * @throws what `node:http` says when it is taken
 */
export async function listen({ port, host }: ListenOptions): Promise<ListeningServer> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, ...(host !== undefined && { host }) }, resolve)
  })
  return {
    server,
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      server.closeIdleConnections()
      const patience = setTimeout(() => server.closeAllConnections(), GRACE_MS)
      await closed
      clearTimeout(patience)
    },
  }
}

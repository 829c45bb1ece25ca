import { startCommunity } from '../start.ts'

/**
 * The demo as a child of the traffic run: so that the two share no event loop, and what is measured is what a client of
 * another process sees. Starts on the first message, ends when the parent lets go.
 */

export interface ServerOrder {
  readonly file: string
  readonly redis: string | undefined
  readonly invalidation: boolean
}

export type ServerReply = { readonly port: number } | { readonly failure: string }

process.once('message', (order: ServerOrder) => {
  startCommunity({ ...order, port: 0, host: '127.0.0.1', durable: false }).then(
    ({ port, close }) => {
      process.once('disconnect', () => {
        void close().then(() => process.exit(0))
      })
      reply({ port })
    },
    (error: unknown) => {
      reply({ failure: error instanceof Error ? error.message : String(error) })
    },
  )
})

// Ctrl-C reaches the whole group; the parent decides when this process ends.
process.on('SIGINT', () => undefined)

function reply(message: ServerReply): void {
  process.send?.(message)
}

import type { IncomingMessage } from 'node:http'

/**
 * Whether a connection that has closed was closed by the client (NOD-13), and not by the application, as Express does where a
 * handler fails after the head (NOD-14).
 */
export function hasClientLeft(req: IncomingMessage): boolean {
  const { stream } = req as { stream?: { readonly rstCode: number } }
  if (stream !== undefined) return stream.rstCode !== 0
  const { socket } = req
  return socket.readableEnded || (socket.errored as NodeJS.ErrnoException | null)?.syscall !== undefined
}

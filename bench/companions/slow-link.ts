import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { endWithParent } from '../../test/support/end-with-parent.ts'

/**
 * A server that is not next door: what it sends arrives a round trip later, and of each connection no more than a window of bytes per
 * round trip. Started as a process of its own, with the port of the server.
 */
const ROUND_TRIP_MS = 2
const WINDOW = 64 * 1024

const port = Number(process.argv[2])
const links = new Set<{ readonly socket: Socket; readonly waiting: Buffer[] }>()

const server = createServer((socket) => {
  const link = { socket, waiting: [] }
  const upstream = connect(port, '127.0.0.1')
  links.add(link)
  socket.setNoDelay().pipe(upstream.setNoDelay())
  upstream.on('data', (chunk: Buffer) => (link.waiting as Buffer[]).push(chunk))
  for (const side of [socket, upstream]) {
    side.on('error', () => {})
    side.on('close', () => {
      links.delete(link)
      socket.destroy()
      upstream.destroy()
    })
  }
}).listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))

setInterval(() => {
  for (const { socket, waiting } of links) {
    let left = WINDOW
    while (left > 0) {
      const chunk = waiting.shift()
      if (chunk === undefined) break
      socket.write(chunk.subarray(0, left))
      if (chunk.length > left) waiting.unshift(chunk.subarray(left))
      left -= chunk.length
    }
  }
}, ROUND_TRIP_MS)

endWithParent()

import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Be the contestant that this process was started for, if it was: listen, and tell the CPU time used whenever asked. CPU time does
 * not count being descheduled, so it holds on noisy machines.
 */
export async function serveContestant(
  contestants: Readonly<Record<string, () => RequestListener | Promise<RequestListener>>>,
): Promise<void> {
  const make = contestants[process.argv[2] ?? '']
  if (make === undefined || process.send === undefined) return
  const server = createServer(await make()).listen(0, '127.0.0.1', () => {
    process.send?.({ port: (server.address() as AddressInfo).port })
  })
  process.on('message', () => process.send?.({ cpu: process.cpuUsage() }))
  process.on('disconnect', () => process.exit(0))
}

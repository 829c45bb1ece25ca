import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

/** How long a client waits for the head of an answer (ms). */
export async function firstByteMs(port: number, path: string): Promise<number> {
  const start = performance.now()
  const [response] = (await once(get({ port, host: '127.0.0.1', path, agent }), 'response')) as [IncomingMessage]
  const waited = performance.now() - start
  response.resume()
  await once(response, 'end')
  return waited
}

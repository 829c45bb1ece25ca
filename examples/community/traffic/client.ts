import { Agent, request as httpRequest, type OutgoingHttpHeaders } from 'node:http'

export interface ClientRequest {
  readonly method: string
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  /** Sent as JSON. */
  readonly body?: object
  /** False counts the answer's bytes without keeping them. @default true */
  readonly keepBody?: boolean
}

export interface ClientResponse {
  readonly status: number
  /** The answer came from the cache without asking the handler. */
  readonly hit: boolean
  readonly body: Buffer
  readonly bytes: number
  /** From sending the request to the last byte of the answer. */
  readonly elapsedMicros: number
}

const TIMEOUT_MS = 30_000

/** Sends requests to one local server over connections that are kept. */
export class Client {
  readonly #port: number
  readonly #agent: Agent

  constructor(options: { readonly port: number; readonly connections: number }) {
    this.#port = options.port
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections })
  }

  send({ method, path, headers = {}, body, keepBody = true }: ClientRequest): Promise<ClientResponse> {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const startedAt = process.hrtime.bigint()
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        {
          host: '127.0.0.1',
          port: this.#port,
          agent: this.#agent,
          method,
          path,
          timeout: TIMEOUT_MS,
          headers: {
            ...headers,
            ...(payload !== undefined && { 'Content-Type': 'application/json', 'Content-Length': payload.length }),
          },
        },
        (incoming) => {
          const chunks: Buffer[] = []
          let bytes = 0
          incoming.on('data', (chunk: Buffer) => {
            bytes += chunk.length
            if (keepBody) chunks.push(chunk)
          })
          incoming.on('error', reject)
          incoming.on('end', () => {
            resolve({
              status: incoming.statusCode ?? 0,
              hit: isHit(incoming.headers['cache-status']),
              body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
              bytes,
              elapsedMicros: Number((process.hrtime.bigint() - startedAt) / 1_000n),
            })
          })
        },
      )
      outgoing.on('timeout', () =>
        outgoing.destroy(new Error(`${method} ${path} was not answered within ${TIMEOUT_MS} ms`)),
      )
      outgoing.on('error', reject)
      outgoing.end(payload)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** `cachewell; hit; ...` in a Cache-Status field (RFC 9211). */
function isHit(cacheStatus: string | string[] | undefined): boolean {
  return /(?:^|,\s*)cachewell\s*;\s*hit\s*(?:[;,]|$)/.test(String(cacheStatus ?? ''))
}

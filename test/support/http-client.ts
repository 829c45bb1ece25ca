import { connect, type Socket } from 'node:net'

/** What to send; the request line and fields go out exactly as given. */
export interface RequestShape {
  readonly method?: string
  readonly path?: string
  /** Lines in order; `Host` and `Connection: close` are added where absent. */
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[]
  readonly body?: string
}

/** An answer as it came over the wire: case, order and repeats of the field lines are the server's. */
export interface Answer {
  readonly status: number
  readonly reason: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** The body without chunked framing. */
  readonly body: Buffer
  readonly text: string
  /** The combined value of a field, undefined when it is absent. */
  header(name: string): string | undefined
  /** The values of a field, line by line. */
  lines(name: string): string[]
}

/** Send one request over a connection of its own and read until the server closes it. */
export function exchange(port: number, shape: RequestShape = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => {
      const raw = Buffer.concat(chunks)
      if (raw.includes('\r\n\r\n')) resolve(parseAnswer(raw))
      else
        reject(new Error(`The connection closed before the end of a head: ${JSON.stringify(raw.toString('latin1'))}`))
    })
    socket.write(requestText(shape))
  })
}

/** Send a request and hand out the socket, for clients that read slowly, leave, or look at single chunks. */
export function openExchange(port: number, shape: RequestShape = {}): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(requestText(shape))
  return socket
}

/** Read what came over the wire. */
export function parseAnswer(raw: Buffer): Answer {
  const end = raw.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = raw.subarray(0, end).toString('latin1').split('\r\n')
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  const valuesOf = (name: string): string[] =>
    fields.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  const rest = raw.subarray(end + 4)
  const body = valuesOf('transfer-encoding').includes('chunked') ? dechunk(rest) : rest
  const [, status = '', reason = ''] = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(statusLine) ?? []
  return {
    status: Number(status),
    reason,
    fields,
    body,
    text: body.toString(),
    header: (name) => {
      const values = valuesOf(name)
      return values.length === 0 ? undefined : values.join(', ')
    },
    lines: valuesOf,
  }
}

function requestText({ method = 'GET', path = '/', headers = {}, body = '' }: RequestShape): string {
  const given = Array.isArray(headers) ? (headers as readonly (readonly [string, string])[]) : Object.entries(headers)
  const names = new Set(given.map(([name]) => name.toLowerCase()))
  const lines = [
    ...(names.has('host') ? [] : [['Host', 'shop.example']]),
    ...given,
    ...(names.has('connection') ? [] : [['Connection', 'close']]),
    ...(body === '' || names.has('content-length') || names.has('transfer-encoding')
      ? []
      : [['Content-Length', String(Buffer.byteLength(body))]]),
  ]
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

function dechunk(framed: Buffer): Buffer {
  const parts: Buffer[] = []
  let position = 0
  for (;;) {
    const lineEnd = framed.indexOf('\r\n', position)
    const size = lineEnd === -1 ? 0 : Number.parseInt(framed.subarray(position, lineEnd).toString('latin1'), 16)
    if (size === 0) return Buffer.concat(parts)
    parts.push(framed.subarray(lineEnd + 2, lineEnd + 2 + size))
    position = lineEnd + 2 + size + 2
  }
}

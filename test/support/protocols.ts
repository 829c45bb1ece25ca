import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { type ClientHttp2Session, connect, createServer as createHttp2Server, createSecureServer } from 'node:http2'
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https'
import { type AddressInfo, connect as connectTcp, type Server, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import type { CachedListener, Listener } from '../../middleware/front.ts'

/** The protocols that a server of node's speaks. */
export const PROTOCOLS = ['http', 'https', 'h2c', 'h2'] as const
export type Protocol = (typeof PROTOCOLS)[number]

export interface Call {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** HTTP/1.1 over a secure server of HTTP/2. */
  readonly old?: boolean
  /** Show a certificate to a secure server. */
  readonly certified?: boolean
}

/** An answer in the words that all protocols have. */
export interface Reply {
  readonly status: number
  /** HTTP/2 has none. */
  readonly reason: string
  /** Lines as they came, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly text: string
  /** The interim answers. */
  readonly interim: readonly number[]
  readonly trailers: Readonly<Record<string, unknown>>
  /** The lines of a field, joined; undefined when it is absent. */
  header(name: string): string | undefined
}

export interface Speaker {
  readonly server: Server
  readonly port: number
  call(call?: Call): Promise<Reply>
  /** A connection for whoever speaks HTTP/1 by hand. */
  socket(): Socket
  /** A connection of HTTP/2. */
  session(certified?: boolean): ClientHttp2Session
}

interface Opened {
  readonly server: Server
  readonly sockets: Set<Socket>
  readonly sessions: Set<ClientHttp2Session>
}

const pem = (name: string): Buffer => readFileSync(new URL(`tls/${name}.pem`, import.meta.url))
/** Of tests only: signed by itself, for localhost, until 2126. */
const identity = { key: pem('key'), cert: pem('certificate') }
const trusting = { ca: identity.cert, servername: 'localhost' }
/** Clients may show a certificate. */
const asking = { ...identity, ca: identity.cert, requestCert: true, rejectUnauthorized: false }

const opened = new Set<Opened>()

export function isSecure(protocol: Protocol): boolean {
  return protocol === 'https' || protocol === 'h2'
}

export function isHttp2(protocol: Protocol): boolean {
  return protocol === 'h2c' || protocol === 'h2'
}

function makeServer(protocol: Protocol, listener: CachedListener | Listener): Server {
  const any = listener as never
  switch (protocol) {
    case 'http':
      return createServer(any)
    case 'https':
      return createHttpsServer(asking, any)
    case 'h2c':
      return createHttp2Server(any)
    case 'h2':
      return createSecureServer({ ...asking, allowHTTP1: true }, any)
  }
}

/** Listen with this protocol until the end of the test. */
export async function openSpeaker(protocol: Protocol, listener: CachedListener | Listener): Promise<Speaker> {
  const server = makeServer(protocol, listener)
  const sockets = new Set<Socket>()
  const sessions = new Set<ClientHttp2Session>()
  opened.add({ server, sockets, sessions })
  server.on(isSecure(protocol) ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const keep = <C extends ClientHttp2Session | Socket>(connections: Set<C>, connection: C): C => {
    connections.add(connection)
    connection.on('error', () => {})
    return connection
  }
  const session = (certified = false): ClientHttp2Session => {
    const url = `${isSecure(protocol) ? 'https' : 'http'}://localhost:${port}`
    return keep(sessions, connect(url, { ...trusting, ...(certified ? identity : {}), host: '127.0.0.1' }))
  }
  return {
    server,
    port,
    session,
    socket: () =>
      keep(
        sockets,
        isSecure(protocol)
          ? connectTls({ port, host: '127.0.0.1', ...trusting, ALPNProtocols: ['http/1.1'] })
          : connectTcp(port, '127.0.0.1'),
      ),
    call: async (call = {}) => {
      if (!isHttp2(protocol) || call.old === true) return callOld(protocol, port, call)
      const own = session(call.certified)
      try {
        return await callHttp2(own, call)
      } finally {
        own.close()
      }
    },
  }
}

/** Close what the test opened; for `afterEach`. */
export async function closeSpeakers(): Promise<void> {
  const closing = [...opened]
  opened.clear()
  for (const { server, sockets, sessions } of closing) {
    for (const session of sessions) session.destroy()
    for (const socket of sockets) socket.destroy()
    if (server.listening) {
      server.close()
      await once(server, 'close')
    }
  }
}

async function callOld(
  protocol: Protocol,
  port: number,
  { method = 'GET', path = '/', headers = {}, body, certified = false }: Call,
): Promise<Reply> {
  const request = isSecure(protocol) ? httpsRequest : httpRequest
  const sent = request({
    port,
    host: '127.0.0.1',
    method,
    path,
    headers: { host: 'shop.example', ...headers },
    agent: false,
    ...trusting,
    ...(certified ? identity : {}),
  })
  const interim: number[] = []
  sent.on('information', ({ statusCode }: { readonly statusCode: number }) => void interim.push(statusCode))
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  const bytes = await buffer(answer)
  const fields = pairs(answer.rawHeaders)
  return reply({
    status: answer.statusCode ?? 0,
    reason: answer.statusMessage ?? '',
    fields,
    text: bytes.toString(),
    interim,
    trailers: answer.trailers,
  })
}

/** One request of a session. */
export async function callHttp2(
  session: ClientHttp2Session,
  { method = 'GET', path = '/', headers = {}, body }: Call,
): Promise<Reply> {
  const all = { ':method': method, ':path': path, ':authority': 'shop.example', ...headers }
  const stream = session.request(all, { endStream: body === undefined })
  const interim: number[] = []
  let trailers = {}
  stream.on('headers', (head: { readonly ':status': number }) => void interim.push(head[':status']))
  stream.on('trailers', (last: object) => {
    trailers = { ...last }
  })
  if (body !== undefined) stream.end(body)
  const [head, , raw] = (await once(stream, 'response')) as [{ ':status': number }, number, string[]]
  const bytes = await buffer(stream)
  const fields = pairs(raw).filter(([name]) => !name.startsWith(':'))
  return reply({ status: head[':status'], reason: '', fields, text: bytes.toString(), interim, trailers })
}

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  const lines: (readonly [string, string])[] = []
  for (let index = 0; index < raw.length; index += 2) {
    lines.push([(raw[index] as string).toLowerCase(), raw[index + 1] as string])
  }
  return lines
}

function reply(parts: Omit<Reply, 'header'>): Reply {
  return {
    ...parts,
    header: (name) => {
      const values = parts.fields.filter(([key]) => key === name).map(([, value]) => value)
      return values.length === 0 ? undefined : values.join(', ')
    },
  }
}

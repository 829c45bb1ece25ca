import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/**
 * The one place that stands between a handler and its response. It makes every way of writing a head and a body look the same
 * to those who watch (the recorder, the invalidation, `cacheControl`), and keeps for the handler exactly what node promises:
 * return values, callbacks, back-pressure, errors.
 */

/** What a watcher may do with a response, in the order of the members; several watchers in the order of watching. */
export interface Watcher {
  /** The head is about to be written: set fields. `whole` is the body when it comes in one piece. */
  setFields?(whole: Buffer | undefined): void
  /** The head is complete: look at it. */
  beforeHead?(whole: Buffer | undefined): void
  /** Hold head and body until this promise settles; asked once, after all `beforeHead`. */
  hold?(): Promise<unknown> | undefined
  /** Take the response over: what the handler writes from now on goes nowhere. Asked last, before the head is written. */
  replace?(): ((out: Original) => void) | undefined
  /** The head goes out now: hooks of middlewares between us and the handler may have changed it since `beforeHead`. */
  atHead?(): void
  /** The head was written: node's and other middlewares' last changes are in. Where it cannot be, `beforeHead` comes again. */
  afterHead?(): void
  /** A piece of the body, as the handler gave it. */
  body?(chunk: Buffer): void
  /** The handler has ended the response, and node has taken the end. */
  end?(): void
}

/** The response's own methods, as they were before. */
export interface Original {
  writeHead(statusCode: number, headers?: string[]): void
  end(body?: Buffer): void
}

const STATE: unique symbol = Symbol.for('cachewell.interception') as never

type Interceptable = ServerResponse & { [STATE]?: Interception }

/** Watch a response; its methods are replaced once, however many watch. */
export function watch(res: ServerResponse, watcher: Watcher): void {
  const target: Interceptable = res
  target[STATE] ??= new Interception(res)
  target[STATE].watchers.push(watcher)
}

type WriteArguments = [chunk: unknown, encoding?: unknown, callback?: unknown]

class Interception {
  readonly watchers: Watcher[] = []
  readonly #res: ServerResponse
  readonly #writeHead: ServerResponse['writeHead']
  readonly #write: (...args: WriteArguments) => boolean
  readonly #end: (...args: WriteArguments) => ServerResponse
  readonly #flushHeaders: () => void
  /** The watchers have seen the head. */
  #prepared = false
  #headWritten = false
  #ended = false
  /** A watcher made a 304 of it: the body the handler gives is for the watchers only. */
  #bodiless = false
  /** Somebody else answers: the handler's writes go nowhere. */
  #replaced = false
  /** What waits for a hold to end. */
  #queue: (() => void)[] | undefined

  constructor(res: ServerResponse) {
    this.#res = res
    this.#writeHead = res.writeHead
    this.#write = res.write as (...args: WriteArguments) => boolean
    this.#end = res.end as (...args: WriteArguments) => ServerResponse
    this.#flushHeaders = res.flushHeaders
    res.writeHead = this.#onWriteHead.bind(this) as ServerResponse['writeHead']
    res.write = this.#onWrite.bind(this) as ServerResponse['write']
    res.end = this.#onEnd.bind(this) as ServerResponse['end']
    res.flushHeaders = this.#onFlushHeaders.bind(this)
  }

  #onWriteHead(statusCode: number, reason?: unknown, headers?: unknown): ServerResponse {
    const res = this.#res
    if (this.#replaced) return res
    // A second head fails as it does without us.
    if (this.#queue !== undefined) throw headersSent()
    if (this.#headWritten) return this.#writeHead.call(res, statusCode)
    res.statusCode = statusCode
    if (typeof reason === 'string') res.statusMessage = reason
    applyFields(res, typeof reason === 'string' ? headers : (headers ?? reason))
    if (!this.#prepared) this.#prepare(undefined)
    if (this.#replaced) return res
    this.#passOn(() => this.#emitHead())
    return res
  }

  #onWrite(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    // What node refuses starts no response: the next head may be an error page's.
    if (!isChunk(chunk)) return this.#write.call(this.#res, chunk, encoding, callback)
    if (!this.#prepared && !this.#ended) this.#prepare(undefined)
    if (this.#replaced) return swallow(encoding, callback)
    const ended = this.#ended
    if (this.#queue !== undefined) {
      const copy = copyOf(chunk)
      if (!ended) this.#tellBody(copy, encoding)
      this.#queue.push(() => this.#write.call(this.#res, copy, encoding, callback))
      return false
    }
    let flowing: boolean
    if (this.#bodiless && !ended) {
      if (!this.#headWritten) this.#flushHeaders.call(this.#res)
      flowing = swallow(encoding, callback)
    } else flowing = this.#write.call(this.#res, chunk, encoding, callback)
    if (!ended) this.#tellBody(chunk, encoding)
    return flowing
  }

  #onEnd(chunk?: unknown, encoding?: unknown, callback?: unknown): ServerResponse {
    const res = this.#res
    if (this.#ended) {
      // While bytes are held the response counts as ended: a second end is node's to judge only afterwards.
      return this.#queue !== undefined || this.#replaced ? res : this.#end.call(res, chunk, encoding, callback)
    }
    const last = typeof chunk === 'function' ? undefined : chunk
    if (Boolean(last) && !isChunk(last)) return this.#end.call(res, chunk, encoding, callback)
    if (!this.#prepared) this.#prepare(isContent(last) ? toBuffer(last, encoding) : undefined)
    this.#ended = true
    if (this.#replaced) {
      swallow(chunk, encoding, callback)
      return res
    }
    const sent = this.#queue === undefined ? chunk : copyOf(chunk)
    this.#passOn(() => this.#emitEnd(sent, encoding, callback))
    return res
  }

  #onFlushHeaders(): void {
    if (!this.#prepared) this.#prepare(undefined)
    if (!this.#replaced) this.#passOn(() => this.#flushHeaders.call(this.#res))
  }

  /** Do it now, or when the hold ends. */
  #passOn(write: () => void): void {
    if (this.#queue === undefined) write()
    else this.#queue.push(write)
  }

  /** Show the head to the watchers, once, and find out whether it may go now. */
  #prepare(whole: Buffer | undefined): void {
    const { statusCode } = this.#res
    this.#prepared = true
    for (const watcher of this.watchers) watcher.setFields?.(whole)
    for (const watcher of this.watchers) watcher.beforeHead?.(whole)
    this.#bodiless = this.#res.statusCode === 304 && statusCode !== 304
    const holds = this.watchers.map((watcher) => watcher.hold?.()).filter((hold) => hold !== undefined)
    for (const watcher of this.watchers) {
      const answer = watcher.replace?.()
      if (answer === undefined) continue
      this.#replaced = true
      this.#headWritten = true
      answer({
        writeHead: (status, headers) => {
          this.#writeHead.call(this.#res, status, headers)
        },
        end: (body) => {
          this.#end.call(this.#res, body)
        },
      })
      return
    }
    if (holds.length > 0) this.#holdUntil(Promise.allSettled(holds))
  }

  #emitHead(): void {
    for (const watcher of this.watchers) watcher.atHead?.()
    try {
      this.#writeHead.call(this.#res, this.#res.statusCode)
    } catch (error) {
      // Nothing went out: whoever catches this may answer with another head.
      this.#prepared = false
      throw error
    }
    this.#headWritten = true
    for (const watcher of this.watchers) watcher.afterHead?.()
  }

  /** The watchers hear of the end when node has taken it: until then the head may still change, or fail. */
  #emitEnd(chunk: unknown, encoding: unknown, callback: unknown): void {
    try {
      if (this.#bodiless) this.#end.call(this.#res, [chunk, encoding, callback].find(isFunction))
      else this.#end.call(this.#res, chunk, encoding, callback)
    } catch (error) {
      this.#ended = false
      throw error
    }
    this.#tellBody(chunk, encoding)
    for (const watcher of this.watchers) watcher.end?.()
  }

  /** Held are bytes, not state: to the handler the response is as far as it thinks. */
  #holdUntil(released: Promise<unknown>): void {
    const res = this.#res
    const queue: (() => void)[] = []
    this.#queue = queue
    const { statusCode, statusMessage } = res
    Object.defineProperty(res, 'headersSent', { configurable: true, get: () => true })
    Object.defineProperty(res, 'writableEnded', { configurable: true, get: () => this.#ended })
    // A second answer must not change the head of the first.
    const replaced = HEAD_METHODS.map((name) => [name, Object.getOwnPropertyDescriptor(res, name)] as const)
    for (const name of HEAD_METHODS) Object.defineProperty(res, name, { configurable: true, value: refuseHead })
    void released.then(() => {
      for (const name of ['headersSent', 'writableEnded', ...HEAD_METHODS]) Reflect.deleteProperty(res, name)
      for (const [name, own] of replaced) if (own !== undefined) Object.defineProperty(res, name, own)
      Object.assign(res, { statusCode, statusMessage })
      this.#queue = undefined
      try {
        for (const write of queue) write()
      } catch (error) {
        res.destroy(error instanceof Error ? error : undefined)
        return
      }
      // Whoever wrote meanwhile was told to wait.
      if (!this.#ended) res.emit('drain')
    })
  }

  #tellBody(chunk: unknown, encoding: unknown): void {
    if (!isContent(chunk)) return
    if (!this.watchers.some((watcher) => watcher.body !== undefined)) return
    const bytes = toBuffer(chunk, encoding)
    for (const watcher of this.watchers) watcher.body?.(bytes)
  }
}

const HEAD_METHODS = ['setHeader', 'appendHeader', 'setHeaders', 'removeHeader'] as const

function refuseHead(): never {
  throw headersSent()
}

/** What node accepts as a piece of a body. */
function isChunk(chunk: unknown): chunk is string | Uint8Array {
  return typeof chunk === 'string' || chunk instanceof Uint8Array
}

function isFunction(value: unknown): value is () => void {
  return typeof value === 'function'
}

function isContent(chunk: unknown): chunk is string | Uint8Array {
  return isChunk(chunk) && chunk.length > 0
}

/** A copy: a caller may use its buffer again as soon as `write` has returned. */
function toBuffer(chunk: string | Uint8Array, encoding: unknown): Buffer {
  if (typeof chunk !== 'string') return Buffer.from(chunk)
  return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
}

function copyOf(chunk: unknown): unknown {
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : chunk
}

function headersSent(): Error {
  return Object.assign(new Error('Cannot write headers after they are sent to the client'), {
    code: 'ERR_HTTP_HEADERS_SENT',
  })
}

/** Nothing is written, but whoever waits for a callback gets it. */
function swallow(...args: readonly unknown[]): true {
  const callback = args.find(isFunction)
  if (callback !== undefined) process.nextTick(callback)
  return true
}

/** The field lines of a response as they stand, with the case in which they were set. */
export function fieldsOf(res: ServerResponse): [name: string, value: string][] {
  const lines: [string, string][] = []
  for (const name of rawNames(res)) {
    const value = res.getHeader(name)
    if (Array.isArray(value)) for (const line of value) lines.push([name, String(line)])
    else if (value !== undefined) lines.push([name, String(value)])
  }
  return lines
}

/** Names in the case in which they were set; node's types do not know the method for responses, HTTP/2's lack it. */
function rawNames(res: ServerResponse): readonly string[] {
  const { getRawHeaderNames } = res as { getRawHeaderNames?(): string[] }
  return getRawHeaderNames === undefined ? res.getHeaderNames() : getRawHeaderNames.call(res)
}

/**
 * Set the fields given to `writeHead` in any of its shapes: object, flat array, array of pairs. They win over fields set
 * before, and lines of one name stay together, which node 20 gets wrong for arrays after a `setHeader`.
 */
function applyFields(res: ServerResponse, headers: unknown): void {
  if (headers === undefined || headers === null) return
  if (!Array.isArray(headers)) {
    // Node refuses undefined here, and so do we.
    for (const [name, value] of Object.entries(headers as OutgoingHttpHeaders)) res.setHeader(name, value as string)
    return
  }
  const lines = new Map<string, { readonly name: string; readonly values: string[] }>()
  for (const [name, value] of pairsOf(headers as readonly unknown[])) {
    const known = lines.get(name.toLowerCase())
    const values = Array.isArray(value) ? value.map(String) : [String(value)]
    if (known === undefined) lines.set(name.toLowerCase(), { name, values })
    else known.values.push(...values)
  }
  for (const { name, values } of lines.values())
    res.setHeader(name, values.length === 1 ? (values[0] as string) : values)
}

function* pairsOf(headers: readonly unknown[]): Generator<[string, OutgoingHttpHeader]> {
  if (Array.isArray(headers[0])) {
    for (const pair of headers as readonly [string, OutgoingHttpHeader][]) yield [String(pair[0]), pair[1]]
    return
  }
  if (headers.length % 2 !== 0) {
    throw Object.assign(new TypeError('The headers given to writeHead are a name without a value'), {
      code: 'ERR_INVALID_ARG_VALUE',
    })
  }
  for (let index = 0; index + 1 < headers.length; index += 2) {
    yield [String(headers[index]), headers[index + 1] as OutgoingHttpHeader]
  }
}

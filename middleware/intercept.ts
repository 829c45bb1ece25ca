import { ServerResponse } from 'node:http'
import { HeadEncoding } from './head-encoding.ts'
import { isHttp2, reasonOf, setReason, statusSent } from './http2.ts'
import { applyFields } from './response-fields.ts'

/**
 * The one place that stands between a handler and its response. It makes every way of writing a head and a body look the same
 * to those who watch (the recorder, the invalidation, `cacheControl`), and keeps for the handler exactly what node promises:
 * return values, callbacks, back-pressure, errors.
 */

/** What a watcher may do with a response, in the order of the members; several watchers in the order of watching. */
export interface Watcher {
  /** The head is about to be written: set fields. `whole` is the body when it comes in one piece. */
  setFields?(whole: Buffer | undefined): void
  /** The head is complete: look at it. `isFinal`: nobody else will change it before it goes out. */
  beforeHead?(whole: Buffer | undefined, isFinal: boolean): void
  /** The head went out by the stream of HTTP/2, past everybody: of it only the status is known. In place of all the others. */
  unseen?(): void
  /** Which bytes of the handler's body the client gets, where not all of them; asked once, after all `beforeHead`. */
  window?(): Window | undefined
  /** Hold head and body until this promise settles; asked once, after all `beforeHead`. */
  hold?(): Promise<unknown> | undefined
  /** Take the response over: what the handler writes from now on goes nowhere. Asked last, before the head is written. */
  replace?(): TakeOver | undefined
  /** The handler destroys a response that it has not begun: answer in its place. */
  abandon?(): TakeOver | undefined
  /** Whether it matters in which encoding the head goes out; asked after all `atHead`. */
  isBeyondAscii?(): boolean
  /** The head goes out now: hooks of middlewares between us and the handler may have changed it since `beforeHead`. */
  atHead?(): void
  /** The head was written: node's and other middlewares' last changes are in. Where it cannot be, `beforeHead` comes again. */
  afterHead?(): void
  /**
   * A piece of the body, as the handler gave it; `utf8` as in `end`. `isBorrowed`: it is the handler's own, to be used again when
   * this call, and the `end` that follows it, are over.
   */
  body?(chunk: Buffer, utf8: boolean, isBorrowed: boolean): void
  /** The handler has ended the response, and node has taken the end. `utf8`: its head went out in that encoding, not Latin-1. */
  end?(utf8: boolean): void
  /** The handler destroys the response. */
  destroyed?(): void
}

/** Bytes from `start` up to, not including, `end`. */
export interface Window {
  readonly start: number
  readonly end: number
}

/** The response's own methods, as they were before. */
export interface Original {
  writeHead(statusCode: number, headers?: string[]): void
  write(chunk: Buffer): boolean
  end(body?: Buffer): void
  destroy(): void
}

/** Answers in the handler's place, with what the response's own methods are. */
export type TakeOver = (out: Original) => void

const STATE: unique symbol = Symbol.for('cachewell.interception') as never

type Interceptable = ServerResponse & { [STATE]?: Interception }

/** Watch a response; its methods are replaced once, however many watch. */
export function watch(res: ServerResponse, watcher: Watcher): void {
  const target: Interceptable = res
  target[STATE] ??= new Interception(res)
  target[STATE].watchers.push(watcher)
}

/**
 * Answer now, whatever the handler is doing: what it writes later goes nowhere. False where its head is already there, or nobody
 * watches.
 */
export function takeOver(res: ServerResponse, answer: TakeOver): boolean {
  return (res as Interceptable)[STATE]?.takeOver(answer) ?? false
}

type WriteArguments = [chunk: unknown, encoding?: unknown, callback?: unknown]

class Interception {
  readonly watchers: Watcher[] = []
  readonly #res: ServerResponse
  readonly #writeHead: ServerResponse['writeHead']
  /** In its place. */
  readonly #ownWriteHead: ServerResponse['writeHead']
  readonly #write: (...args: WriteArguments) => boolean
  readonly #end: (...args: WriteArguments) => ServerResponse
  readonly #flushHeaders: () => void
  readonly #destroy: ServerResponse['destroy']
  readonly #encoding: HeadEncoding
  /** Nobody above us has a hand in writing the head. */
  readonly #isPlain: boolean
  /** The watchers have seen the head. */
  #prepared = false
  #headWritten = false
  #ended = false
  /** The part of the body that the client gets; the rest is for the watchers only. */
  #window: Window | undefined
  /** How much of the body the handler has given while only a part goes out. */
  #position = 0
  /** The handler has said how long its body is, so that node would not send it in chunks. */
  #declared = false
  /** Somebody else answers: the handler's writes go nowhere. */
  #replaced = false
  /** That answer is being written: node's methods for HTTP/2, and those of other middlewares, call each other. */
  #answering = false
  /** What waits for a hold to end. */
  #queue: (() => void)[] | undefined

  constructor(res: ServerResponse) {
    this.#res = res
    this.#writeHead = res.writeHead
    this.#write = res.write as (...args: WriteArguments) => boolean
    this.#end = res.end as (...args: WriteArguments) => ServerResponse
    this.#flushHeaders = res.flushHeaders
    this.#destroy = res.destroy
    this.#encoding = new HeadEncoding(res)
    this.#ownWriteHead = this.#onWriteHead.bind(this) as ServerResponse['writeHead']
    this.#isPlain =
      this.#writeHead === PLAIN.writeHead &&
      this.#write === PLAIN.write &&
      this.#end === PLAIN.end &&
      this.#flushHeaders === PLAIN.flushHeaders
    res.writeHead = this.#ownWriteHead
    res.write = this.#onWrite.bind(this) as ServerResponse['write']
    res.end = this.#onEnd.bind(this) as ServerResponse['end']
    res.flushHeaders = this.#onFlushHeaders.bind(this)
    res.destroy = this.#onDestroy.bind(this)
    if (isHttp2(res)) res.once('close', () => this.#onClose())
  }

  #onWriteHead(statusCode: number, reason?: unknown, headers?: unknown): ServerResponse {
    const res = this.#res
    if (this.#answering) return this.#writeHead.apply(res, [statusCode, reason, headers] as never)
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
    if (!isChunk(chunk) || this.#answering) return this.#write.call(this.#res, chunk, encoding, callback)
    if (!this.#prepared && !this.#ended) this.#prepare(undefined)
    if (this.#replaced) return swallow(encoding, callback)
    const ended = this.#ended
    if (this.#queue !== undefined) {
      const copy = copyOf(chunk) as string | Uint8Array
      if (!ended) this.#tellBody(copy, encoding)
      this.#queue.push(() => this.#emitBody(copy, encoding, callback))
      return false
    }
    const flowing = this.#emitBody(chunk, encoding, callback)
    if (!ended) this.#tellBody(chunk, encoding)
    return flowing
  }

  #emitBody(chunk: string | Uint8Array, encoding: unknown, callback: unknown): boolean {
    if (this.#window === undefined || this.#ended) return this.#write.call(this.#res, chunk, encoding, callback)
    // A head before a chunk is followed by the chunk's length, which is Latin-1; nothing is no chunk.
    this.#encoding.cut(chunk, encoding, chunk.length > 0 && !this.#declared)
    const part = this.#visible(chunk, encoding)
    if (part !== undefined) return this.#write.call(this.#res, part, callback)
    // The client has its answer before the handler is done. A head before bytes, even none, goes out as Latin-1.
    if (this.#headWritten) return swallow(encoding, callback)
    if (this.#window.end > 0) this.#write.call(this.#res, NO_BYTES)
    else if (this.#encoding.isIndifferent) this.#flushHeaders.call(this.#res)
    return swallow(encoding, callback)
  }

  /** What of the next piece lies within the window. */
  #visible(chunk: unknown, encoding: unknown): Buffer | undefined {
    if (this.#window === undefined || !isContent(chunk)) return undefined
    const bytes = toBuffer(chunk, encoding)
    const from = this.#position
    this.#position += bytes.length
    const part = bytes.subarray(Math.max(0, this.#window.start - from), Math.max(0, this.#window.end - from))
    return part.length === 0 ? undefined : part
  }

  #onEnd(chunk?: unknown, encoding?: unknown, callback?: unknown): ServerResponse {
    const res = this.#res
    if (this.#ended) {
      // While bytes are held the response counts as ended: a second end is node's to judge only afterwards.
      return this.#queue !== undefined || this.#replaced ? res : this.#end.call(res, chunk, encoding, callback)
    }
    const last = typeof chunk === 'function' ? undefined : chunk
    if (Boolean(last) && !isChunk(last)) return this.#end.call(res, chunk, encoding, callback)
    const whole = !this.#prepared && isContent(last) ? bytesOf(last, encoding) : undefined
    if (!this.#prepared) this.#prepare(whole)
    this.#ended = true
    if (this.#replaced) {
      swallow(chunk, encoding, callback)
      return res
    }
    if (this.#queue === undefined) this.#emitEnd(chunk, encoding, callback, whole)
    else {
      const copy = copyOf(chunk)
      this.#queue.push(() => this.#emitEnd(copy, encoding, callback))
    }
    return res
  }

  #onFlushHeaders(): void {
    if (!this.#prepared) this.#prepare(undefined)
    if (this.#replaced) return
    this.#encoding.flush()
    this.#passOn(() => this.#flushHeaders.call(this.#res))
  }

  #onDestroy(error?: Error): ServerResponse {
    const res = this.#res
    // What it has given up is not its any more.
    if (this.#replaced) return res
    if (!this.#prepared && res.socket?.destroyed === false) {
      for (const watcher of this.watchers) {
        const answer = watcher.abandon?.()
        if (answer !== undefined && this.takeOver(answer)) return res
      }
    }
    for (const watcher of this.watchers) watcher.destroyed?.()
    return this.#destroy.call(res, error)
  }

  takeOver(answer: TakeOver): boolean {
    if (this.#prepared || this.#ended || this.#res.headersSent) return false
    this.#prepared = true
    this.#replace(answer)
    // The handler does not know that somebody else has answered: an error here would be nobody's to catch.
    const res = this.#res
    for (const name of HEAD_METHODS) Object.defineProperty(res, name, { configurable: true, value: () => res })
    return true
  }

  /** Do it now, or when the hold ends. */
  #passOn(write: () => void): void {
    if (this.#queue === undefined) write()
    else this.#queue.push(write)
  }

  /** Show the head to the watchers, once, and find out whether it may go now. */
  #prepare(whole: Buffer | undefined): void {
    this.#prepared = true
    if (this.#res.headersSent) return this.#tellUnseen()
    this.#declared = this.#res.hasHeader('content-length')
    this.#window = undefined
    for (const watcher of this.watchers) watcher.setFields?.(whole)
    const isFinal = this.#isPlain && this.watchers.length === 1 && this.#res.writeHead === this.#ownWriteHead
    for (const watcher of this.watchers) watcher.beforeHead?.(whole, isFinal)
    for (const watcher of this.watchers) this.#window ??= watcher.window?.()
    this.#encoding.partial = this.#window !== undefined
    const holds = this.watchers.map((watcher) => watcher.hold?.()).filter((hold) => hold !== undefined)
    for (const watcher of this.watchers) {
      const answer = watcher.replace?.()
      if (answer !== undefined) return this.#replace(answer)
    }
    if (holds.length > 0) this.#holdUntil(Promise.allSettled(holds))
  }

  #replace(answer: TakeOver): void {
    this.#replaced = true
    this.#headWritten = true
    answer({
      writeHead: (status, headers) => this.#answer(() => void this.#writeHead.call(this.#res, status, headers)),
      write: (chunk) => this.#answer(() => this.#write.call(this.#res, chunk)),
      end: (body) => this.#answer(() => void this.#end.call(this.#res, body)),
      destroy: () => {
        this.#destroy.call(this.#res)
      },
    })
  }

  #answer<T>(write: () => T): T {
    this.#answering = true
    try {
      return write()
    } finally {
      this.#answering = false
    }
  }

  /** A handler may answer by the stream behind the response, and never touch this. */
  #onClose(): void {
    if (this.#prepared || !this.#res.headersSent) return
    this.#prepared = true
    this.#tellUnseen()
  }

  /** What a write has made wrong goes all the same; its answer cannot be held any more. */
  #tellUnseen(): void {
    this.#res.statusCode = statusSent(this.#res)
    for (const watcher of this.watchers) watcher.unseen?.()
    for (const watcher of this.watchers) void watcher.hold?.()
  }

  #emitHead(): void {
    for (const watcher of this.watchers) watcher.atHead?.()
    if (this.watchers.some((watcher) => watcher.isBeyondAscii?.())) this.#encoding.listen()
    if (this.#window !== undefined) this.#encoding.apply()
    try {
      this.#writeHead.call(this.#res, this.#res.statusCode)
    } catch (error) {
      // Nothing went out: whoever catches this may answer with another head.
      this.#prepared = false
      this.#window = undefined
      this.#position = 0
      throw error
    }
    this.#headWritten = true
    for (const watcher of this.watchers) watcher.afterHead?.()
  }

  #emitLastPart(chunk: unknown, encoding: unknown, callback: unknown): void {
    if (isContent(chunk)) this.#encoding.cut(chunk, encoding, !this.#declared && this.#headWritten)
    const part = this.#visible(chunk, encoding)
    this.#end.call(this.#res, part, [chunk, encoding, callback].find(isFunction))
  }

  /**
   * The watchers hear of the end when node has taken it: until then the head may still change, or fail. `whole`: all of the body,
   * where it came in one piece and goes at once.
   */
  #emitEnd(chunk: unknown, encoding: unknown, callback: unknown, whole?: Buffer): void {
    try {
      if (this.#window === undefined) this.#end.call(this.#res, chunk, encoding, callback)
      else this.#emitLastPart(chunk, encoding, callback)
    } catch (error) {
      this.#ended = false
      throw error
    }
    if (whole === undefined) this.#tellBody(chunk, encoding)
    else for (const watcher of this.watchers) watcher.body?.(whole, this.#encoding.isUtf8, true)
    for (const watcher of this.watchers) watcher.end?.(this.#encoding.isUtf8)
  }

  /** Held are bytes, not state: to the handler the response is as far as it thinks. */
  #holdUntil(released: Promise<unknown>): void {
    const res = this.#res
    const queue: (() => void)[] = []
    this.#queue = queue
    const { statusCode } = res
    const reason = reasonOf(res)
    Object.defineProperty(res, 'headersSent', { configurable: true, get: () => true })
    Object.defineProperty(res, 'writableEnded', { configurable: true, get: () => this.#ended })
    // A second answer must not change the head of the first.
    const replaced = HEAD_METHODS.map((name) => [name, Object.getOwnPropertyDescriptor(res, name)] as const)
    for (const name of HEAD_METHODS) Object.defineProperty(res, name, { configurable: true, value: refuseHead })
    void released.then(() => {
      for (const name of ['headersSent', 'writableEnded', ...HEAD_METHODS]) Reflect.deleteProperty(res, name)
      for (const [name, own] of replaced) if (own !== undefined) Object.defineProperty(res, name, own)
      res.statusCode = statusCode
      setReason(res, reason)
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
    for (const watcher of this.watchers) watcher.body?.(bytes, this.#encoding.isUtf8, false)
  }
}

const PLAIN = ServerResponse.prototype

const NO_BYTES = Buffer.alloc(0)

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

/** The bytes themselves where there are some. */
function bytesOf(chunk: string | Uint8Array, encoding: unknown): Buffer {
  if (typeof chunk === 'string') return toBuffer(chunk, encoding)
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
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

import { AsyncResource } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import type { Follower, LiveResponse } from '../lib/live-response.ts'
import type { ReplayResponse } from './replay.ts'

/** Of HTTP/2, where a stream that is destroyed without a reason looks well. */
const INTERNAL_ERROR = 2

export interface LiveCopyOptions {
  readonly live: LiveResponse
  readonly method: string | undefined
  readonly res: ServerResponse
  /** Somebody who stands between us and the client has failed. */
  readonly onError: (cause: unknown) => void
}

/**
 * Sends a response that is being made to one more client, as fast as that client takes it. The last piece goes out when the whole
 * is known to be right: until then a failure must show.
 */
export class LiveCopy implements Follower, ReplayResponse {
  readonly #options: LiveCopyOptions
  /** Where the client's own request is known: what it logs belongs to that. */
  readonly advance: () => void
  readonly #stop = (): void => this.#leave()
  readonly #resume = (): void => {
    this.#blocked = false
    this.advance()
  }
  #status = 0
  /** Pieces, and bytes, that were sent. */
  #pieces = 0
  #bytes = 0
  #blocked = false

  constructor(options: LiveCopyOptions) {
    this.#options = options
    this.advance = AsyncResource.bind(() => this.#advance())
  }

  get statusMessage(): string {
    return this.#options.res.statusMessage
  }

  set statusMessage(reason: string) {
    this.#options.res.statusMessage = reason
  }

  getHeader(name: string): number | string | string[] | undefined {
    return this.#options.res.getHeader(name)
  }

  setHeader(name: string, value: string | readonly string[]): void {
    this.#options.res.setHeader(name, value)
  }

  writeHead(status: number, headers?: string[]): void {
    this.#status = status
    this.#options.res.writeHead(status, headers)
  }

  /** The head is out: follow with the body where it has one. */
  end(): void {
    const { live, method, res } = this.#options
    if (method === 'HEAD' || this.#status !== live.entry?.value.status) {
      res.end()
      return
    }
    if (res.destroyed) return
    live.follow(this)
    res.once('close', this.#stop)
    // For good: `compression` hands on listeners that come, not those that go.
    res.on('drain', this.#resume)
    this.advance()
  }

  #advance(): void {
    try {
      this.#send()
    } catch (cause) {
      this.#break()
      this.#options.onError(cause)
    }
  }

  #send(): void {
    const { live, res } = this.#options
    const { chunks, length } = live.body
    if (live.isOver) return this.#finish()
    while (!this.#blocked) {
      const chunk = chunks[this.#pieces]
      if (chunk === undefined || this.#bytes + chunk.length >= length) return
      this.#pieces++
      this.#bytes += chunk.length
      this.#blocked = !res.write(chunk)
    }
  }

  /** The rest is part of the one copy that all share. */
  #finish(): void {
    const { live, res } = this.#options
    const { whole } = live
    if (whole === undefined) return this.#break()
    this.#leave()
    res.end(whole.subarray(this.#bytes))
  }

  /** What has begun must not look whole. */
  #break(): void {
    const { res } = this.#options
    this.#leave()
    const { stream } = res as { stream?: { close(code: number): void } }
    if (stream === undefined) res.destroy()
    else stream.close(INTERNAL_ERROR)
  }

  #leave(): void {
    const { live, res } = this.#options
    live.leave(this)
    res.off('close', this.#stop)
    res.off('drain', this.#resume)
  }
}

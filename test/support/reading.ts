import type { Socket } from 'node:net'
import { type Answer, openExchange, parseAnswer, type RequestShape } from './http-client.ts'
import { until } from './site.ts'

/** A client that shows how much of an answer has come, and how it ended. */
export class Reading {
  readonly socket: Socket
  readonly #chunks: Buffer[] = []
  #size = 0
  #closed = false

  constructor(port: number, shape: RequestShape = {}) {
    this.socket = openExchange(port, shape)
    this.socket.on('data', (chunk) => {
      this.#chunks.push(chunk)
      this.#size += chunk.length
    })
    this.socket.on('close', () => {
      this.#closed = true
    })
  }

  /** What has come so far. */
  get answer(): Answer {
    return parseAnswer(Buffer.concat(this.#chunks))
  }

  /** Whether anything has come. */
  get begun(): boolean {
    return this.#size > 0
  }

  /** How many bytes have come, head included. */
  get size(): number {
    return this.#size
  }

  /** Wait until this text, and nothing more, has come as the body. */
  async reaches(text: string): Promise<void> {
    await until(() => this.begun && this.answer.text.length >= text.length)
    if (this.answer.text !== text) throw new Error(`${JSON.stringify(this.answer.text)} is not ${JSON.stringify(text)}`)
  }

  /** The answer once the server has closed; it may be cut off. */
  async end(): Promise<Answer> {
    await until(() => this.#closed)
    return this.answer
  }
}

/** Whether an answer has all of the body that its head promises. */
export function isWhole(answer: Answer): boolean {
  return answer.body.length === Number(answer.header('content-length'))
}

import { type Answer, openExchange, parseAnswer } from '../support/http-client.ts'

/** A request as it goes out. */
export interface WireRequest {
  readonly method: string
  readonly path: string
  readonly lines: readonly (readonly [string, string])[]
  readonly body: string
  /** The client goes away in the middle of the body. */
  readonly leaves: boolean
}

/** What came back. */
export interface Received {
  /** The final answer; undefined when none came. */
  readonly answer: Answer | undefined
  /** The interim answers before it, without 100. */
  readonly interim: readonly Answer[]
}

/** Longer than any answer that a behaviour delays. */
const PATIENCE_MS = 10_000

const HEAD_END = '\r\n\r\n'

/** Send one request over a connection of its own. A connection that fails, or an answer that never ends, is no answer. */
export function ask(port: number, { method, path, lines, body, leaves }: WireRequest): Promise<Received> {
  return new Promise((resolve) => {
    const socket = openExchange(port, { method, path, headers: lines, body })
    const chunks: Buffer[] = []
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS)
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      // Some of the body has come: enough for the one who leaves.
      if (leaves && !Buffer.concat(chunks).subarray(-4).equals(Buffer.from(HEAD_END))) socket.destroy()
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(received(Buffer.concat(chunks)))
    })
  })
}

/** Take the interim answers off what came over the wire. */
export function received(raw: Buffer): Received {
  const interim: Answer[] = []
  let rest = raw
  for (;;) {
    const end = rest.indexOf(HEAD_END)
    if (end === -1) return { answer: undefined, interim }
    const isInterim = /^HTTP\/1\.1 1\d\d/.test(rest.subarray(0, 12).toString('latin1'))
    if (!isInterim) return { answer: parseAnswer(rest), interim }
    const answer = parseAnswer(rest.subarray(0, end + HEAD_END.length))
    if (answer.status !== 100) interim.push(answer)
    rest = rest.subarray(end + HEAD_END.length)
  }
}

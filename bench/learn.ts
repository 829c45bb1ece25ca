import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, exchange } from '../test/support/http-client.ts'
import type { Prepared } from './contestant.ts'
import type { Ask } from './load.ts'
import { payload } from './payload.ts'
import type { Server } from './server.ts'

/** What Node adds to every answer by itself. */
const OF_THE_CONNECTION = new Set(['connection', 'keep-alive', 'x-powered-by'])
const PATIENCE_MS = 5_000

/** Whether an answer is what is to be measured. */
export type Wanted = (answer: Answer) => boolean

export const isHit: Wanted = ({ header }) => header('Cache-Status')?.includes('; hit') === true

/**
 * Ask until the answer is the one that is meant, and take it down, so that a limit can send the same.
 *
 * @throws NeverAnswered when it does not come within 5 s
 */
export async function learn(server: Server, ask: Ask = {}, isWanted: Wanted = isHit): Promise<Prepared> {
  const answer = await firstWanted(server, ask, isWanted)
  const fields = answer.fields.filter(([name]) => !OF_THE_CONNECTION.has(name.toLowerCase()))
  return { status: answer.status, head: fields.flat(), body: answer.body }
}

/** Whatever is asked, what was to be measured does not come. */
export class NeverAnswered extends Error {}

async function firstWanted(server: Server, ask: Ask, isWanted: Wanted): Promise<Answer> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = await askOnce(server, ask)
    if (isWanted(answer)) return answer
    if (performance.now() > deadline)
      throw new NeverAnswered(`Not what was to be measured: ${JSON.stringify(answer.fields)}`)
    await sleep(20)
  }
}

/** Throws unless a limit sends what it is compared with, byte for byte; only what counts seconds may differ. */
export async function checkSame(server: Server, prepared: Prepared, ask: Ask = {}): Promise<void> {
  const sent = await learn(server, ask, () => true)
  const [own, theirs] = [sent, prepared].map(
    ({ status, head, body }) => `${status} ${withoutSeconds(head)} ${body.toString('base64')}`,
  )
  if (own !== theirs) throw new Error(`Not the same answer:\n${own}\n${theirs}`)
}

function withoutSeconds(head: readonly string[]): string {
  return JSON.stringify(head)
    .replace(/"Age","\d+"/, '"Age"')
    .replace(/ttl=\d+/, 'ttl')
}

function askOnce({ port }: Server, { fields = {}, path = '/', keys = 1 }: Ask): Promise<Answer> {
  return exchange(port, { path: keys === 1 ? path : '/items/0', headers: { Host: `127.0.0.1:${port}`, ...fields } })
}

/** Throws unless a second answer has the body that all contestants send. */
export async function checkBody(server: Server, size: number): Promise<void> {
  const ask = { path: `/${size}` }
  await askOnce(server, ask)
  const { status, body } = await askOnce(server, ask)
  if (status !== 200 || !body.equals(payload(size))) throw new Error(`127.0.0.1:${server.port}: another answer`)
}

import { Agent, get } from 'node:http'
import { text } from 'node:stream/consumers'
import { cacheMiddleware } from '../../middleware/index.ts'
import { listen, makeListener, type Running } from '../support/app.ts'
import { PAGE_SUBJECTS } from './catalogue.ts'
import { instant } from './history.ts'
import { loadVersion, type ReaderOptions } from './reader.ts'
import { PAGES_HOST } from './writer.ts'

/** Serve pages behind `cacheMiddleware`: each answers with its version. */
export function servePages({ cache, authority, random }: ReaderOptions): Promise<Running> {
  const pages = new Map(PAGE_SUBJECTS.map((subject) => [subject.name, subject]))
  const middleware = cacheMiddleware({ cache, ttl: '1h', tags: (req) => pages.get(req.url ?? '')?.tags ?? [] })
  const listener = makeListener('node:http', [middleware], async (req, res) => {
    const subject = pages.get(req.url ?? '')
    if (subject === undefined) throw new Error(`No such page: ${req.url}`)
    res.end(String(await loadVersion(authority, random, subject)))
  })
  return listen(listener)
}

/** Read pages over HTTP, until the process ends. */
export async function readPages({ recorder, random, tally }: ReaderOptions, port: number): Promise<never> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (;;) {
    const { number, name } = random.pick(PAGE_SUBJECTS)
    const at = instant()
    try {
      recorder.read(number, await ask(agent, port, name), at, 'http')
      tally.http++
    } catch {
      tally.failed++
    }
  }
}

function ask(agent: Agent, port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ agent, port, path, host: '127.0.0.1', headers: { host: PAGES_HOST } }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`Answered with ${answer.statusCode}`))
      text(answer).then((body) => resolve(Number(body)), reject)
    })
    request.on('error', reject)
  })
}

import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { cachePolicy } from '../../middleware/policy.ts'
import { isRefresh } from '../../middleware/second-pass.ts'
import { listen, type Running } from '../support/app.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { makeBench } from '../support/site.ts'
import type { Exchange, Got, Profile, Run, Sent } from './history.ts'
import { Model, type Verdict, Violation } from './model.ts'
import { type Lines, linesOf, valueOf } from './parse.ts'
import { draftOf, innerOf, isDeclared, write } from './script.ts'
import {
  type Answering,
  type Asks,
  type Condition,
  PLAIN,
  type Step,
  type Story,
  URIS,
  USUAL,
  type Validator,
} from './steps.ts'

/** A cache under test: something between a server and its handler. */
export type Caching = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/** Make a cache for one story. */
export type MakeCaching = (bench: ReturnType<typeof makeBench>, profile: Profile) => Caching

/** No answer takes longer (ms): one that does has been lost. */
const LOST_MS = 5_000

/** How a write answers that overtakes a read. */
const OVERTAKING: Answering = { ...USUAL, status: 204, conditions: false }

/** A server that stories are played on, one after the other. */
export class Stage {
  readonly #running: Running
  readonly #agent: Agent
  #play: Play | undefined

  private constructor(running: Running) {
    this.#running = running
    this.#agent = new Agent({ keepAlive: true })
  }

  static async open(): Promise<Stage> {
    const stage = new Stage(await listen((req, res) => stage.#play?.receive(req, res), { keepAliveTimeout: 0 }))
    return stage
  }

  /**
   * Play a story on a cache and judge every answer.
   * @throws Violation with the history when an answer is wrong
   */
  async perform(story: Story, make: MakeCaching): Promise<Verdict[]> {
    const bench = makeBench()
    this.#play = new Play(story, bench.clock, make(bench, story.profile), this.#running.port, this.#agent)
    try {
      return await this.#play.run()
    } finally {
      await bench.cache.close()
    }
  }

  async close(): Promise<void> {
    this.#agent.destroy()
    await this.#running.close()
  }
}

/** One story under way. */
class Play {
  readonly #story: Story
  readonly #clock: FakeClock
  readonly #caching: Caching
  readonly #port: number
  readonly #agent: Agent
  readonly #model: Model
  readonly #versions: number[] = URIS.map(() => 0)
  /** What clients have seen of each resource, to ask with. */
  readonly #seen: Record<'tag' | 'date', string[]>[] = URIS.map(() => ({ tag: [], date: [] }))
  readonly #log: string[] = []
  #tick = 0
  #requests = 0
  #runs = 0
  /** How requests under way are to be answered, by number. */
  readonly #scripts = new Map<number, { readonly uri: number; readonly answer: Answering }>()
  /** The runs of the present step, in the order they ended. */
  #ended: { readonly request: number; readonly run: Run }[] = []
  #running = 0
  /** Requests of this step that the cache has not seen yet, and who waits for them. */
  #expected = new Set<number>()
  #arrived: () => void = () => {}
  #arrival: Promise<void> = Promise.resolve()
  /** Exchanges that handlers caused. */
  #nested: Exchange[] = []

  constructor(story: Story, clock: FakeClock, caching: Caching, port: number, agent: Agent) {
    this.#story = story
    this.#clock = clock
    this.#caching = caching
    this.#port = port
    this.#agent = agent
    this.#model = new Model(story.profile)
  }

  async run(): Promise<Verdict[]> {
    const verdicts: Verdict[] = []
    try {
      for (const step of this.#story.steps) verdicts.push(...(await this.#step(step)))
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      throw new Violation(`${error.message}\n\nprofile ${this.#story.profile}\n${this.#log.join('\n')}`)
    }
    return verdicts
  }

  async #step(step: Step): Promise<Verdict[]> {
    this.#clock.advance(step.wait)
    if (step.changes) this.#versions[step.uri] = (this.#versions[step.uri] ?? 0) + 1
    this.#ended = []
    this.#nested = []
    this.#arrival = new Promise((resolve) => {
      this.#arrived = resolve
    })
    const asked = step.beside === undefined || step.method !== 'GET' ? [step.asks] : [step.asks, step.beside]
    const closes = step.answer.fails === 'short' || step.answer.fails === 'destroyed'
    const sending = asked.map((asks) => this.#sentOf(step, asks))
    this.#expected = new Set(sending.map(({ id }) => id))
    this.#log.push(`+${step.wait} ms${step.changes ? `, ${URIS[step.uri]} changes` : ''}`)
    const got = await Promise.all(
      sending.map((sent) => {
        this.#scripts.set(sent.id, { uri: step.uri, answer: step.answer })
        return this.#send(sent, closes)
      }),
    )
    await this.#quiet()
    const exchanges = sending.map((sent, index) => this.#exchangeOf(sent, got[index] as Got))
    const all = [...exchanges, ...this.#nested]
    const background = this.#ended
      .filter(({ run }) => !all.some(({ runs }) => runs.includes(run)))
      .map(({ run }) => run)
    for (const exchange of all) this.#tell(exchange)
    for (const run of background) this.#tellRun(run, 'behind')
    for (const { fields } of got) {
      const [tag, date] = [valueOf(fields, 'etag'), valueOf(fields, 'last-modified')]
      if (tag !== undefined) this.#seen[step.uri]?.tag.push(tag)
      if (date !== undefined) this.#seen[step.uri]?.date.push(date)
    }
    return this.#model.judge(all, background)
  }

  #exchangeOf(sent: Sent, got: Got): Exchange {
    const [first, ...later] = this.#ended.filter(({ request }) => request === sent.id).map(({ run }) => run)
    // After a run for the client one that looks like a refresh is one more for the client (VAL-13); before any it is a refresh.
    const runs = first === undefined || first.background ? [] : [first, ...later]
    return { sent, got, runs }
  }

  /** Until nothing runs any more, not even in the background. */
  async #quiet(): Promise<void> {
    do {
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    } while (this.#running > 0)
  }

  #sentOf({ method, uri }: Pick<Step, 'method' | 'uri'>, asks: Asks): Sent {
    const id = ++this.#requests
    return {
      id,
      method,
      uri: URIS[uri] as string,
      fields: this.#fieldsOf(id, asks, uri, method),
      at: this.#clock.now(),
      tick: ++this.#tick,
    }
  }

  #fieldsOf(id: number, asks: Asks, uri: number, method: string): Lines {
    const fields: [string, string][] = [
      ['Host', 'shop.example'],
      ['X-Request', String(id)],
    ]
    const { cacheControl, pragma, condition, range, ifRange, credentials, language, unit, content } = asks
    if (cacheControl !== undefined) fields.push(['Cache-Control', cacheControl])
    if (pragma) fields.push(['Pragma', 'no-cache'])
    if (condition !== undefined) fields.push(...this.#conditionFields(condition, uri))
    if (range !== undefined) fields.push(['Range', range])
    if (range !== undefined && ifRange !== undefined) fields.push(['If-Range', this.#validator(ifRange, uri)])
    if (credentials === 'authorization') fields.push(['Authorization', 'Basic YTpi'])
    if (credentials === 'cookie') fields.push(['Cookie', `sid=${id % 2}`])
    if (language !== undefined) fields.push(['Accept-Language', language])
    if (unit !== undefined) fields.push(['X-Unit', unit])
    if (content && method === 'GET') fields.push(['Content-Length', '1'])
    return fields
  }

  #conditionFields({ name, validators, since }: Condition, uri: number): [string, string][] {
    const texts = validators.map((validator) => this.#validator(validator, uri))
    const fields: [string, string][] = [[name, texts.join(', ')]]
    return since === undefined ? fields : [...fields, ['If-Modified-Since', this.#validator(since, uri)]]
  }

  #validator(validator: Validator, uri: number): string {
    if (validator.kind === 'text') return validator.text
    const seen = this.#seen[uri]?.[validator.kind] ?? []
    return seen[validator.pick % Math.max(1, seen.length)] ?? (validator.kind === 'tag' ? '"none"' : 'never')
  }

  #send(sent: Sent, closes: boolean): Promise<Got> {
    return new Promise((resolve, reject) => {
      const req = request({
        port: this.#port,
        host: '127.0.0.1',
        agent: closes ? false : this.#agent,
        method: sent.method,
        path: sent.uri,
        headers: { ...Object.fromEntries(sent.fields), ...(closes ? { Connection: 'close' } : {}) },
      })
      const lost = setTimeout(() => {
        req.destroy()
        reject(new Violation(`request ${sent.id} had no answer`))
      }, LOST_MS)
      const settle = (res: IncomingMessage | undefined, body: string): void => {
        clearTimeout(lost)
        resolve({
          status: res?.statusCode,
          fields: res === undefined ? [] : pairsOf(res.rawHeaders),
          body,
          complete: res?.complete ?? false,
          at: this.#clock.now(),
          tick: ++this.#tick,
        })
      }
      req.once('error', () => settle(undefined, ''))
      req.once('response', (res) => {
        let body = ''
        res.setEncoding('latin1')
        res.on('data', (chunk: string) => {
          body += chunk
        })
        res.once('error', () => {})
        res.once('close', () => settle(res, body))
      })
      req.end(valueOf(sent.fields, 'content-length') === '1' ? 'x' : undefined)
    })
  }

  /** A request has reached the server, or is a refresh of the cache's own. */
  receive(req: IncomingMessage, res: ServerResponse): void {
    const fail = (error: unknown): void => {
      if (res.headersSent) return void res.destroy()
      // Nobody in front sees that this is an error handler: it says so, as docs/http.md asks (XPR-12).
      cachePolicy(res).skip('error')
      res.statusCode = 500
      res.end(error instanceof Error ? error.message : String(error))
    }
    try {
      this.#caching(req, res, (error) => {
        if (error !== undefined && error !== null) return fail(error)
        // As a router does it: what a handler throws is caught next to it.
        try {
          this.#handle(req, res)?.catch(fail)
        } catch (thrown) {
          fail(thrown)
        }
      })
    } catch (error) {
      fail(error)
    }
    this.#expected.delete(Number(req.headers['x-request']))
    if (this.#expected.size === 0) this.#arrived()
  }

  /** The handler behind the cache. Whatever it does at once, it does before it returns, as most handlers do. */
  #handle(req: IncomingMessage, res: ServerResponse): Promise<void> | undefined {
    const started = { startedAt: this.#clock.now(), startedTick: ++this.#tick, id: ++this.#runs }
    const number = Number(req.headers['x-request'])
    const script = this.#scripts.get(number)
    if (script === undefined) throw new Error(`The handler does not know request ${number}`)
    const background = isRefresh(req)
    this.#expected.delete(number)
    const answer = (): void => {
      // A refresh takes no time, so that the age of the answer before it is known.
      if (!background) this.#clock.advance(script.answer.takes)
      this.#respond({ req, res, ...started, ...script, background })
    }
    const overtaken = script.answer.overtaken && !background && req.method === 'GET'
    if (background || (!overtaken && this.#expected.size === 0)) {
      answer()
      return undefined
    }
    this.#running++
    return this.#delayed(overtaken ? script.uri : undefined, answer).finally(() => {
      this.#running--
    })
  }

  /** Answer when all requests of the step have come in, and after a write to this resource if there is to be one. */
  async #delayed(uri: number | undefined, answer: () => void): Promise<void> {
    if (this.#expected.size > 0) await this.#arrival
    if (uri !== undefined) {
      const sent = this.#sentOf({ method: 'POST', uri }, PLAIN)
      this.#scripts.set(sent.id, { uri, answer: OVERTAKING })
      this.#nested.push(this.#exchangeOf(sent, await this.#send(sent, false)))
    }
    answer()
  }

  #respond(given: Responding): void {
    const { req, res, id, uri, answer, background, startedAt, startedTick } = given
    const inner = innerOf(req)
    const resource = { habit: this.#story.habits[uri] as Story['habits'][number], version: this.#versions[uri] ?? 0 }
    const draft = draftOf(id, answer, resource, inner, this.#clock.now())
    const thrown = answer.fails === 'throws'
    const breaks =
      answer.fails !== undefined && !thrown && req.method !== 'HEAD' && draft.status !== 204 && draft.status !== 304
    const run: Run = {
      id,
      background,
      method: inner.method,
      uri: URIS[uri] as string,
      inner: inner.fields,
      startedAt,
      startedTick,
      respondedAt: this.#clock.now(),
      headTick: ++this.#tick,
      status: thrown ? 500 : draft.status,
      fields: draft.fields,
      body: thrown ? `error of run ${id}` : (draft.part ?? draft.body),
      declared: isDeclared(answer.style, answer.fails),
      broken: breaks,
      thrown,
    }
    this.#ended.push({ request: Number(req.headers['x-request']), run })
    write(res, draft, thrown ? { ...answer, style: 'end' } : answer)
    if (thrown) throw new Error(run.body)
  }

  #tell({ sent, got, runs }: Exchange): void {
    this.#log.push(`request ${sent.id} at ${sent.at}: ${sent.method} ${sent.uri} ${told(sent.fields.slice(2))}`)
    for (const run of runs) this.#tellRun(run, 'for it')
    this.#log.push(
      `  got ${got.status ?? 'nothing'} ${told(got.fields)} ${JSON.stringify(got.body)}${got.complete ? '' : ' broken off'}`,
    )
  }

  #tellRun(run: Run, why: string): void {
    const asked = run.inner.filter(([name]) => !['host', 'connection', 'x-request'].includes(name))
    this.#log.push(
      `  run ${run.id} ${why}: saw ${told(asked)}`,
      `    gave at ${run.respondedAt} ${run.status} ${told(run.fields)} ${JSON.stringify(run.body)}${run.broken ? ' broken off' : ''}`,
    )
  }
}

interface Responding extends Pick<Run, 'id' | 'background' | 'startedAt' | 'startedTick'> {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly uri: number
  readonly answer: Answering
}

function pairsOf(raw: readonly string[]): Lines {
  const pairs: [string, string][] = []
  for (let index = 0; index < raw.length; index += 2) pairs.push([raw[index] as string, raw[index + 1] as string])
  return pairs
}

function told(fields: Lines): string {
  const names = [...new Set(fields.map(([name]) => name))]
  return `{ ${names.map((name) => `${name}: ${linesOf(fields, name).join(' | ')}`).join('; ')} }`
}

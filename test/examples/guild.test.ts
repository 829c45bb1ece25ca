import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'chai'
import type { Acknowledgement } from '../../examples/guild-bot/bot.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually } from '../support/sharing.ts'

const WEB = new URL('../../examples/guild-analytics/main.ts', import.meta.url).pathname
const BOT = new URL('../../examples/guild-bot/main.ts', import.meta.url).pathname

const TYPING = JSON.stringify({ type: 'typing', guildId: '1', userId: '9' })

interface Answer {
  readonly hit: boolean
  readonly status: number
  readonly body: { readonly asOf: number; readonly rows: readonly Readonly<Record<string, unknown>>[] }
}

/** A program of the examples, and what it says line by line. */
class Program {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(file: string, env: Readonly<Record<string, string>>) {
    const child = spawn(process.execPath, ['--import', 'tsx', file], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  async nextLine(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('The program has ended')
    return value
  }

  /** Say a line and wait for the answer. */
  async tell(line: string): Promise<Acknowledgement> {
    this.#child.stdin?.write(`${line}\n`)
    return JSON.parse(await this.nextLine()) as Acknowledgement
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Ask it to end; its exit code. */
  async stop(): Promise<number | null> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const [code] = (await ended) as [number | null]
    return code
  }
}

describeWithRedis('guild-analytics and guild-bot', function () {
  this.timeout(60_000)
  let redis: RedisServer
  let env: Readonly<Record<string, string>>
  let webs: readonly Program[]
  let urls: readonly string[]
  let bot: Program

  before(async () => {
    redis = await startRedis()
    env = { PORT: '0', REDIS_URL: redis.url, DEMO_DATA: mkdtempSync(join(tmpdir(), 'cachewell-guild-')) }
    webs = [new Program(WEB, env), new Program(WEB, env)]
    urls = await Promise.all(webs.map(urlOf))
    bot = new Program(BOT, env)
    // From then on all three have found Redis.
    const health = async (url: string) =>
      (await (await fetch(`${url}/cache/health`)).json()) as { readonly status: string }
    for (const url of urls) await eventually(async () => (await health(url)).status === 'pass')
    await eventually(async () => (await bot.tell(TYPING)).confirmed)
  })

  after(async () => {
    const codes = await Promise.all([...webs, bot].map((program) => program.stop()))
    await redis.stop()
    rmSync(env.DEMO_DATA as string, { recursive: true })
    expect(codes).to.deep.equal([0, 0, 0])
  })

  async function urlOf(web: Program): Promise<string> {
    for (;;) {
      const url = /http:\S+/.exec(await web.nextLine())?.[0]
      if (url !== undefined) return url
    }
  }

  async function get(web: number, path: string): Promise<Answer> {
    const response = await fetch(`${urls[web]}${path}`)
    const hit = response.headers.get('cache-status')?.startsWith('cachewell; hit') === true
    return { hit, status: response.status, body: (await response.json()) as Answer['body'] }
  }

  /** Ask every web process for a report, so that each has it. */
  async function keep(path: string): Promise<void> {
    for (const web of [0, 1]) {
      await get(web, path)
      expect((await get(web, path)).hit, path).to.equal(true)
    }
  }

  const EVENTS = [
    { event: { type: 'message' }, gone: ['ghosts', 'lurkers', 'heatmap'], kept: ['roles', 'clients', 'shifts'] },
    { event: { type: 'typing' }, gone: ['ghosts'], kept: ['lurkers', 'heatmap', 'roles', 'clients', 'shifts'] },
    {
      event: { type: 'presence', client: 'watch' },
      gone: ['lurkers', 'clients', 'shifts'],
      kept: ['ghosts', 'heatmap', 'roles'],
    },
    { event: { type: 'role', role: 'sage' }, gone: ['roles'], kept: ['ghosts', 'heatmap', 'clients'] },
  ] as const

  for (const { event, gone, kept } of EVENTS) {
    it(`show what a ${event.type} event changed to whoever asks after its acknowledgement, and keep the rest`, async () => {
      for (const type of [...gone, ...kept]) await keep(`/guilds/1/${type}?since=7d`)
      const path = `/guilds/2/${gone[0]}?since=7d`
      await keep(path)
      const answer = await bot.tell(JSON.stringify({ ...event, guildId: '1', userId: '7' }))
      expect(answer.confirmed).to.equal(true)
      for (const web of [0, 1]) {
        for (const type of gone) {
          const report = await get(web, `/guilds/1/${type}?since=7d`)
          expect(report.body.asOf, type).to.be.at.least(answer.recorded)
        }
        for (const type of kept) expect((await get(web, `/guilds/1/${type}?since=7d`)).hit, type).to.equal(true)
        expect((await get(web, path)).hit, 'the other guild').to.equal(true)
      }
    })
  }

  it('never show less than was acknowledged while events and readers run side by side', async () => {
    let acknowledged = 0
    let isOver = false
    const stale: string[] = []
    const read = async (web: number): Promise<void> => {
      while (!isOver) {
        const atLeast = acknowledged
        const { body } = await get(web, '/guilds/1/heatmap?since=1d')
        if (body.asOf < atLeast) stale.push(`${body.asOf} after ${atLeast}`)
      }
    }
    const readers = [read(0), read(1)]
    for (let turn = 0; turn < 30; turn++) {
      const answer = await bot.tell(JSON.stringify({ type: 'message', guildId: '1', userId: String(turn) }))
      acknowledged = answer.recorded
    }
    isOver = true
    await Promise.all(readers)
    expect(stale).to.deep.equal([])
  })

  it('count a new client once the bot has seen it', async () => {
    const path = '/guilds/3/clients?since=7d'
    await keep(path)
    await bot.tell(JSON.stringify({ type: 'presence', guildId: '3', userId: '1', client: 'fridge' }))
    expect((await get(0, path)).body.rows).to.deep.include({ client: 'fridge', members: 1 })
  })

  it('go on after a bot that was killed', async () => {
    bot.kill()
    bot = new Program(BOT, env)
    const { recorded } = await bot.tell(TYPING)
    expect((await get(1, '/guilds/1/ghosts?since=7d')).body.asOf).to.be.at.least(recorded)
  })

  it('answer what is no event or no guild with the reason', async () => {
    expect(await bot.tell('{"type":"wave","guildId":"1","userId":"7"}')).to.deep.equal({
      error: '"type" must be message, typing, presence or role, not "wave".',
    })
    expect(await bot.tell('{"type":"typing","guildId":"1"}'))
      .to.have.property('error')
      .that.includes('"userId"')
    expect((await get(0, '/guilds/99/roles')).status).to.equal(404)
    expect((await get(0, '/guilds/1/roles?since=2d')).status).to.equal(400)
  })
  it('go on when Redis is killed: the bot records, the web answers from the database', async () => {
    await redis.kill9()
    const { recorded, confirmed } = await bot.tell(TYPING)
    expect(confirmed).to.equal(false)
    for (const web of [0, 1]) {
      expect((await get(web, '/guilds/1/ghosts?since=30d')).body.asOf).to.be.at.least(recorded)
    }
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { CommunityDatabase } from '../../examples/community/database/database.ts'
import { prepareScratch } from '../../examples/community/database/prepare.ts'
import type { SeedSize } from '../../examples/community/database/seed.ts'
import { Checker } from '../../examples/community/traffic/checker.ts'
import { type Shape, type Step, shapeOf, trafficMix } from '../../examples/community/traffic/mix.ts'
import { readCommandLine } from '../../examples/community/traffic/options.ts'
import { progressLine } from '../../examples/community/traffic/progress.ts'
import { exitCode } from '../../examples/community/traffic/report.ts'
import { runTraffic, type TrafficOptions } from '../../examples/community/traffic/run.ts'
import { seededRandom, weightedIndex, zipfShares } from '../../examples/shared/random.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'

const SMALL: SeedSize = { communities: 24, users: 300, posts: 1_500, memberships: 900, questions: 30, votes: 2_000 }

const TRAFFIC = new URL('../../examples/community/traffic.ts', import.meta.url).pathname

describe('the traffic run', function () {
  this.timeout(60_000)
  let directory: string
  let base: TrafficOptions

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'cachewell-traffic-'))
    base = { directory, size: SMALL, requests: 2_000, seed: 1, concurrency: 8, writes: 0.1 }
  })

  after(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  it('finds no wrong body and no error', async () => {
    const report = await runTraffic(base)
    expect(report.findings).to.deep.equal([])
    expect(report).to.include({ requests: 2_000, wrong: 0, errors: 0, redis: false })
    expect(report.reads + report.writes).to.equal(2_000)
    expect(report.writes).to.be.within(120, 280)
    expect(report.hits.count + report.misses.count).to.equal(report.reads)
    expect(report.hitRate).to.be.greaterThan(20)
    expect(report.queries.withoutCache).to.be.greaterThan(report.queries.withCache)
    expect(report.compared).to.be.greaterThan(report.urls)
  })

  it('finds wrong bodies when the demo does not invalidate', async () => {
    const report = await runTraffic({ ...base, invalidation: false })
    expect(report.wrong).to.be.greaterThan(0)
    expect(report.errors).to.equal(0)
    expect(report.findings.join('\n')).to.match(/was written at/)
    expect(report.findings).to.have.length.at.most(10)
  })

  it('leaves nothing of its copy behind', async () => {
    await runTraffic({ ...base, requests: 50 })
    expect(readdirSync(directory).filter((name) => !name.startsWith('seed-v'))).to.deep.equal([])
  })

  it('stops when it is interrupted, and cleans up', async () => {
    const interruption = new AbortController()
    const run = runTraffic({
      ...base,
      requests: 100_000,
      onProgress: () => interruption.abort(new Error('Interrupted.')),
      signal: interruption.signal,
    })
    expect(await run.catch((error: Error) => error.message)).to.equal('Interrupted.')
    expect(readdirSync(directory).filter((name) => name.startsWith('scratch'))).to.deep.equal([])
  })

  describeWithRedis('with a real Redis', () => {
    let redis: RedisServer

    before(async () => {
      redis = await startRedis()
    })

    after(async () => {
      await redis.stop()
    })

    it('finds no wrong body and no error', async () => {
      const report = await runTraffic({ ...base, redis: redis.url })
      expect(report.findings).to.deep.equal([])
      expect(report).to.include({ wrong: 0, errors: 0, redis: true })
      expect(report.hitRate).to.be.greaterThan(20)
    })
  })

  describe('npm run traffic', () => {
    const run = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
      const child = spawn(process.execPath, ['--import', 'tsx', TRAFFIC, ...args], {
        env: { ...process.env, REDIS_URL: '', DEMO_DATA: directory },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
      return { code, stdout, stderr }
    }

    it('explains itself', async () => {
      const { code, stdout } = await run('--help')
      expect(code).to.equal(0)
      expect(stdout).to.include('--requests N').and.to.include('--log FILE')
    })

    it('sends the traffic, prints the table and ends with 0', async () => {
      const { code, stdout, stderr } = await run('--requests', '2000', '--concurrency', '16')
      expect(stdout)
        .to.match(/^wrong bodies +0$/m)
        .and.to.match(/^errors +0$/m)
      expect(stderr).to.include('traffic: 100 %')
      expect(code).to.equal(0)
    })

    it('ends with 1 when a body was wrong or a request failed', () => {
      expect(exitCode({ wrong: 0, errors: 0 })).to.equal(0)
      expect(exitCode({ wrong: 1, errors: 0 })).to.equal(1)
      expect(exitCode({ wrong: 0, errors: 1 })).to.equal(1)
    })

    it('says in one line what is wrong with an option', async () => {
      const { code, stderr } = await run('--requests', 'many')
      expect(code).to.equal(1)
      expect(stderr.trim()).to.equal('--requests takes a whole number from 1 to 1000000000, not "many".')
    })

    it('says in one line that a log cannot be read', async () => {
      const { code, stderr } = await run('--log', '/no/such/file.log')
      expect(code).to.equal(1)
      expect(stderr.trim()).to.equal('Cannot read the log /no/such/file.log: no such file.')
    })
  })

  describe('readCommandLine', () => {
    it('takes the Redis from the environment unless one is given', () => {
      expect(readCommandLine([], { REDIS_URL: 'redis://one' }).redis).to.equal('redis://one')
      expect(readCommandLine(['--redis', 'redis://two'], { REDIS_URL: 'redis://one' }).redis).to.equal('redis://two')
    })

    it('sends 300,000 requests with 2 % writes by default', () => {
      expect(readCommandLine([], {})).to.include({ requests: 300_000, writes: 0.02, seed: 1, concurrency: 32 })
    })

    it('refuses unknown options, and those of the traffic beside --log', () => {
      expect(() => readCommandLine(['--request', '5'], {})).to.throw(/--request/)
      expect(() => readCommandLine(['--log', 'x', '--seed', '2'], {})).to.throw('--seed does not apply to --log.')
      expect(() => readCommandLine(['--writes', '2'], {})).to.throw('--writes takes a number from 0 to 1, not "2".')
    })
  })

  describe('trafficMix', () => {
    let shape: Shape

    before(() => {
      const scratch = prepareScratch({ directory, size: SMALL })
      const database = new CommunityDatabase(scratch.file)
      shape = shapeOf(database)
      database.close()
      scratch.remove()
    })

    const steps = (seed: number, count: number): readonly Step[] => {
      const mix = trafficMix({ shape, seed, writes: 0.02 })
      return Array.from({ length: count }, () => mix.next())
    }

    it('makes the same steps of the same seed, and others of another', () => {
      expect(steps(5, 500)).to.deep.equal(steps(5, 500))
      expect(steps(5, 500)).to.not.deep.equal(steps(6, 500))
    })

    it('writes as often as it was told', () => {
      const writes = steps(1, 20_000).filter(({ kind }) => kind === 'write')
      expect(writes.length).to.be.within(320, 480)
    })

    it('has about 3,000 URLs with the full database', () => {
      const { targets } = trafficMix({
        shape: { communities: 240, users: 24_000, posts: 120_000, questions: 600, ballots: shape.ballots },
        seed: 1,
        writes: 0.02,
      })
      const paths = new Set(targets.map(({ path }) => path))
      expect(paths.size).to.equal(targets.length)
      expect(paths.size).to.be.within(2_800, 3_200)
    })
  })

  describe('Checker', () => {
    const target = { route: 'GET /communities/:communityId/posts', path: '/communities/1/posts' }
    const body = (asOf: number) => ({ asOf, posts: [{ id: 9, authorId: 4, communityId: 1 }] })

    it('finds a body older than a write acknowledged before the read began', () => {
      const checker = new Checker()
      checker.acknowledge({ writeSeq: 5, touched: ['community:1:posts'] })
      const begunAt = checker.beginRead()
      expect(checker.judge({ target, body: body(4), begunAt })).to.match(/community:1:posts was written at 5/)
      expect(checker.judge({ target, body: body(5), begunAt })).to.equal(undefined)
    })

    it('allows a body older than a write acknowledged while the read was under way', () => {
      const checker = new Checker()
      const begunAt = checker.beginRead()
      checker.acknowledge({ writeSeq: 5, touched: ['community:1:posts'] })
      expect(checker.judge({ target, body: body(4), begunAt })).to.equal(undefined)
    })

    it('looks behind a newer write to an older one that was acknowledged in time', () => {
      const checker = new Checker()
      checker.acknowledge({ writeSeq: 6, touched: ['community:1:posts'] })
      const begunAt = checker.beginRead()
      checker.acknowledge({ writeSeq: 5, touched: ['community:1:posts'] })
      checker.acknowledge({ writeSeq: 7, touched: ['community:1:posts'] })
      expect(checker.judge({ target, body: body(4), begunAt })).to.match(/written at 6/)
      expect(checker.judge({ target, body: body(6), begunAt })).to.equal(undefined)
    })

    it('holds a body to what its rows were made from', () => {
      for (const touched of ['post:9', 'user:4']) {
        const checker = new Checker()
        checker.acknowledge({ writeSeq: 5, touched: [touched] })
        expect(checker.judge({ target, body: body(4), begunAt: checker.beginRead() })).to.include(touched)
      }
    })

    it('does not hold a body to what it does not depend on', () => {
      const checker = new Checker()
      checker.acknowledge({ writeSeq: 5, touched: ['community:2:posts', 'user:5', 'votes:recent'] })
      expect(checker.judge({ target, body: body(4), begunAt: checker.beginRead() })).to.equal(undefined)
    })
  })

  describe('random numbers', () => {
    it('are the same for the same seed', () => {
      const [one, two] = [seededRandom(7), seededRandom(7)]
      for (let count = 0; count < 100; count++) expect(one()).to.equal(two())
    })

    it('are drawn as often as their weight says', () => {
      const draw = weightedIndex(zipfShares(3))
      const random = seededRandom(1)
      const counts = [0, 0, 0]
      for (let count = 0; count < 11_000; count++) (counts as number[])[draw(random)]! += 1
      expect(counts[0]).to.be.within(5_700, 6_300)
      expect(counts[1]).to.be.within(2_700, 3_300)
      expect(counts[2]).to.be.within(1_700, 2_300)
    })
  })

  describe('progressLine', () => {
    it('writes a line for every tenth where there is no terminal', () => {
      const written: string[] = []
      const progress = progressLine({ label: 'work', stream: streamInto(written, false) })
      for (let done = 0; done <= 100; done++) progress.update(done, 100)
      progress.end()
      expect(written).to.have.length(10)
      expect(written[0]).to.equal('work: 10 %\n')
    })

    it('rewrites one line on a terminal', () => {
      const written: string[] = []
      const progress = progressLine({ label: 'work', stream: streamInto(written, true) })
      progress.update(1, 100, 'fine')
      progress.update(2, 100)
      progress.end()
      expect(written).to.deep.equal(['\rwork: 1 %, fine', '\rwork: 2 %      ', '\n'])
    })

    function streamInto(written: string[], isTTY: boolean) {
      return {
        isTTY,
        write: (chunk: string | Uint8Array) => {
          written.push(String(chunk))
          return true
        },
      }
    }
  })
})

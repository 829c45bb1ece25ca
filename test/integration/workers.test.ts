import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { type Answer, exchange } from '../support/http-client.ts'
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.ts'
import { eventually, isHit } from '../support/sharing.ts'

const PROGRAM = fileURLToPath(new URL('../support/workers.ts', import.meta.url))

let program: ChildProcess
let port: number

async function start(redis: string): Promise<void> {
  const { NODE_V8_COVERAGE: _theirs, ...env } = process.env
  program = fork(PROGRAM, [redis, 'workers'], { env, execArgv: ['--import', 'tsx'] })
  ;[port] = (await once(program, 'message')) as [number]
}

async function stop(): Promise<void> {
  program.disconnect()
  await once(program, 'exit')
}

const get = (): Promise<Answer> => exchange(port, { path: '/a' })

/** Ask until every worker has answered twice. */
async function askAll(): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  const countOf = (name: string): number => answers.filter(({ header }) => header('x-worker') === name).length
  await eventually(async () => {
    answers.push(await get())
    return Math.min(countOf('1'), countOf('2')) >= 2
  })
  return answers
}

describe('workers that share a port', function () {
  this.timeout(30_000)

  context('without Redis', () => {
    before(() => start(''))
    after(stop)

    it('have a memory each', async () => {
      for (const { text, header } of await askAll()) expect(text).to.equal(`${header('x-worker')}.1`)
    })
  })

  describeWithRedis('with Redis', () => {
    let server: RedisServer
    before(async () => {
      server = await startRedis()
      await start(server.url)
    })
    after(async () => {
      await stop()
      await server.stop()
    })

    it('share what one of them has stored, and serve nothing of before a write to any of them', async () => {
      const before = new Set<string>()
      for (let turn = 0; turn < 10; turn++) {
        const answers: Answer[] = []
        await eventually(async () => {
          answers.splice(0, answers.length, ...(await askAll()))
          return answers.every((answer) => isHit(answer) && answer.text === answers[0]?.text)
        })
        for (const { text } of answers) expect(before).not.to.include(text)
        for (const { text } of answers) before.add(text)
        await exchange(port, { method: 'PUT', path: '/a' })
        expect(before).not.to.include((await get()).text)
      }
    })
  })
})

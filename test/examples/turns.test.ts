import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { byTurns, type Turns } from '../../examples/shared/turns.ts'

const TURNS = new URL('../../examples/shared/turns.ts', import.meta.url).href
const MIGRATIONS = ['CREATE TABLE counted (turns INTEGER NOT NULL); INSERT INTO counted VALUES (0)']

describe('a database that processes use by turns', function () {
  this.timeout(30_000)
  let directory: string
  let file: string
  let turn: Turns

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cachewell-turns-'))
    file = join(directory, 'counted.db')
    turn = byTurns(file, { migrations: MIGRATIONS, durable: false })
  })

  afterEach(() => {
    rmSync(directory, { recursive: true })
  })

  /** A process that runs `script`, which has `turn`. */
  function start(script: string): ChildProcess {
    const options = JSON.stringify({ migrations: MIGRATIONS, durable: false })
    const code = `
      import { byTurns } from ${JSON.stringify(TURNS)}
      const turn = byTurns(${JSON.stringify(file)}, ${options})
      ${script}`
    return spawn(process.execPath, ['--import', 'tsx', '--input-type', 'module', '--eval', code])
  }

  const counted = (): number | undefined =>
    turn((database) => database.get<{ turns: number }>('SELECT turns FROM counted')?.turns)

  it('loses nothing of what several write at once', async () => {
    const script = `for (let n = 0; n < 50; n++) turn((database) => {
      const { turns } = database.get('SELECT turns FROM counted')
      database.run('UPDATE counted SET turns = ?', [turns + 1])
    })`
    const children = [start(script), start(script)]
    const ends = await Promise.all(
      children.map(async (child) => {
        const [complaints, [code]] = await Promise.all([
          text(child.stderr as NodeJS.ReadableStream),
          once(child, 'exit'),
        ])
        return code === 0 ? '' : complaints
      }),
    )
    expect(ends).to.deep.equal(['', ''])
    expect(counted()).to.equal(100)
  })

  it('goes on after a process that was killed in the middle of its turn', async () => {
    turn(() => undefined)
    const child = start(`turn((database) => database.transaction(() => {
      database.run('UPDATE counted SET turns = 7')
      process.kill(process.pid, 'SIGKILL')
    }))`)
    await once(child, 'exit')
    expect(counted()).to.equal(0)
  })

  it('says who has it when a turn does not end', async () => {
    const child = start(
      `turn(() => { process.stdout.write('mine'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) })`,
    )
    try {
      await once(child.stdout as NodeJS.ReadableStream, 'data')
      const impatient = byTurns(file, { migrations: MIGRATIONS, patienceMs: 20 })
      expect(() => impatient(() => undefined)).to.throw(`is in use by process ${child.pid}`)
    } finally {
      child.kill('SIGKILL')
    }
  })
})

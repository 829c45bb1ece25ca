import { fork } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { cpuOfTree } from '../../bench/processes.ts'

const BURN_MS = 200

describe('the CPU time of a program with several processes', () => {
  it('counts what its children use', async function () {
    if (process.platform !== 'linux') this.skip()
    this.timeout(30_000)
    const burn = `while (process.cpuUsage().user < ${BURN_MS * 1_000}); process.on('message', () => {}); process.send('done')`
    const child = fork('-e', [burn], { execArgv: [] })
    await once(child, 'message')
    const { user, system } = process.cpuUsage()
    const ofChild = await cpuOfTree(child.pid ?? 0)
    const ofBoth = await cpuOfTree(process.pid)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(ofChild).to.be.at.least(BURN_MS * 900)
    // Each of the two figures of a process is rounded down to a tick of 10 ms.
    expect(ofBoth - ofChild).to.be.at.least(user + system - 20_000)
  })
})

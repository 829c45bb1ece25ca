import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect } from 'chai'

const HELPER = new URL('end-with-parent.ts', import.meta.url).href
const DEADLINE_MS = 5_000

/** Starts a process that says it ends with its parent after this time (ms), and is its parent for 300 ms. */
function parentOf(loadingMs: number): string {
  const child = `setTimeout(async () => (await import(${JSON.stringify(HELPER)})).endWithParent(), ${loadingMs}); setInterval(() => {}, 1000)`
  return `import { spawn } from 'node:child_process'
    const argv = ['--import', 'tsx', '--input-type=module', '-e', ${JSON.stringify(child)}]
    console.log(spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }).pid)
    setTimeout(() => process.exit(), 300)`
}

async function hasEnded(pid: number): Promise<boolean> {
  for (const deadline = performance.now() + DEADLINE_MS; performance.now() < deadline; await sleep(50)) {
    try {
      process.kill(pid, 0)
    } catch {
      return true
    }
  }
  process.kill(pid)
  return false
}

describe('endWithParent', () => {
  for (const [when, loadingMs] of [
    ['is there', 0],
    ['has ended while it was loading', 1_500],
  ] as const) {
    it(`ends a process with a parent that ${when}`, async () => {
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', parentOf(loadingMs)])
      expect(await hasEnded(Number(stdout))).to.equal(true)
    })
  }
})

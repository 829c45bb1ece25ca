import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** The ways in which a handler puts the head on its response. */
export const STYLES = ['setHeader', 'appendHeader', 'writeHead-object', 'writeHead-array'] as const
export type Style = (typeof STYLES)[number]

/** A proxy in a process of its own. */
export interface RunningProxy {
  readonly port: number
  /** End it and wait for that. */
  stop(): Promise<void>
}

const MAIN = fileURLToPath(new URL('../../examples/proxy/main.ts', import.meta.url))
const STARTS_WITHIN_MS = 30_000
const ENDS_WITHIN_MS = 5_000

/**
 * Start the example proxy with an empty cache in front of an origin on this port of 127.0.0.1.
 * @throws with what it said when it does not listen
 */
export async function startProxy(originPort: number, style: Style): Promise<RunningProxy> {
  const origin = `http://127.0.0.1:${originPort}`
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', MAIN, '--origin', origin, '--port', '0', '--profile', 'rfc', '--style', style],
    { env: { ...process.env, NODE_ENV: 'production', REDIS_URL: '' }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    const impatience = setTimeout(kill, ENDS_WITHIN_MS)
    child.kill('SIGTERM')
    await ended
    clearTimeout(impatience)
  }
  try {
    return { port: await portOf(child), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The port in the first URL that the process prints. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = ''
    const fail = (): void => {
      clearTimeout(timer)
      reject(new Error(`The proxy did not start: ${said.trim() || 'it said nothing'}`))
    }
    const timer = setTimeout(fail, STARTS_WITHIN_MS)
    // Read on to the end: a pipe that nobody reads stops whoever writes into it.
    child.stderr?.on('data', (chunk: Buffer) => {
      if (said.length < 4_000) said += chunk.toString()
    })
    child.stdout?.on('data', (chunk: Buffer) => {
      if (said.length < 4_000) said += chunk.toString()
      const port = /http:\/\/[^\s/]+:(\d+)/.exec(said)?.[1]
      if (port === undefined) return
      clearTimeout(timer)
      child.off('exit', fail)
      resolve(Number(port))
    })
    child.once('exit', fail)
  })
}

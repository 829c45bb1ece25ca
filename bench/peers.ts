import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const DIRECTORY = fileURLToPath(new URL('.', import.meta.url))
const INSTALL_MS = 120_000

/** The packages that are compared with, and their versions; none when they are not installed. */
export function installedPeers(): Readonly<Record<string, string>> {
  return hasPeers() ? named().dependencies : {}
}

export function hasPeers(): boolean {
  return existsSync(`${DIRECTORY}node_modules`)
}

/** Install what is compared with beside the benchmark, and nowhere else; without a registry the run goes on without it. */
export function installPeers(): void {
  if (hasPeers()) return
  const args = ['ci', '--no-audit', '--no-fund', '--fetch-retries=0', '--silent']
  const { status } = spawnSync('npm', args, { cwd: DIRECTORY, stdio: 'ignore', timeout: INSTALL_MS })
  if (status !== 0) console.log('The peers cannot be installed and are left out; `npm --prefix bench ci` says why.')
}

function named(): { readonly dependencies: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(`${DIRECTORY}package.json`, 'utf8')) as ReturnType<typeof named>
}

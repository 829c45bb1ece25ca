import { spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { CONNECTIONS, LOAD_GENERATOR } from './load.ts'
import { installedPeers } from './peers.ts'

/** On what, with what and when: absolute figures are of this machine and this minute. */
export function describeMachine(): string {
  const [cpu] = cpus()
  const peers = Object.entries(installedPeers()).map(([name, version]) => `${name} ${version}`)
  const lines = [
    `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `${cpus().length} x ${cpu?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}`,
    `Node ${process.versions.node}, ${PROGRAMS.map(versionOf).join(', ')}`,
    peers.length === 0 ? 'no peers installed' : peers.join(', '),
    `load: ${LOAD_GENERATOR}, ${CONNECTIONS} connections kept alive`,
  ]
  return lines.map((line) => `- ${line}`).join('\n')
}

const PROGRAMS = [
  { program: 'redis-server', flag: '--version', pattern: /v=([\d.]+)/ },
  { program: 'nginx', flag: '-v', pattern: /nginx\/([\d.]+)/ },
  { program: 'varnishd', flag: '-V', pattern: /varnish-([\d.]+)/ },
] as const

function versionOf({ program, flag, pattern }: (typeof PROGRAMS)[number]): string {
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' })
  const version = pattern.exec(`${stdout}${stderr}`)?.[1]
  return version === undefined ? `no ${program}` : `${program} ${version}`
}

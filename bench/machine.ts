import { spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'

/** On what, with what and when: absolute figures are this machine's and this day's. */
export async function describeMachine(): Promise<string> {
  const [cpu] = cpus()
  return [
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpu?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB,`,
    `${process.platform} ${process.arch}, Node ${process.versions.node}, ${versionOf('redis-server', ['--version'], /v=(\S+)/)}`,
  ].join('\n')
}

function versionOf(program: string, args: readonly string[], pattern: RegExp): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  const version = pattern.exec(`${stdout}${stderr}`)?.[1]
  return version === undefined ? `no ${program}` : `${program} ${version}`
}

import { parseArgs } from 'node:util'
import type { Group } from './behaviour.ts'
import { GROUPS } from './groups.ts'
import { STYLES, type Style } from './proxy.ts'

/** What the command line of `npm run conformance` asks for. */
export interface CommandLine {
  readonly help: boolean
  readonly list: boolean
  readonly groups: readonly Group[]
  readonly styles: readonly Style[]
  /** A cache that runs already. */
  readonly base: URL | undefined
  /** Where it expects the origin; 0: a free port. */
  readonly originPort: number
}

export const HELP = `npm run conformance             every behaviour, through the example proxy, in each of its four styles
  --group NAME        this group only; may be repeated
  --style NAME        this style only; may be repeated
  --base URL          a cache that runs already, in place of the proxy; needs --origin-port
  --origin-port N     where that cache expects its origin, on 127.0.0.1
  --list              what is checked, without checking it

A required behaviour is one that everything else hangs on or that an RFC demands; an optimal one is permitted and wanted; a
check asks a question and says which answer is wanted. What hangs on a behaviour that does not hold does not count. Exit code 1
unless every required behaviour holds and all styles agree.`

/**
 * Read the arguments.
 * @throws with one line that names the option and what it takes
 */
export function readCommandLine(args: readonly string[]): CommandLine {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' },
      list: { type: 'boolean' },
      group: { type: 'string', multiple: true },
      style: { type: 'string', multiple: true },
      base: { type: 'string' },
      'origin-port': { type: 'string' },
    },
  })
  const { base, style } = values
  const port = values['origin-port']
  if ((base === undefined) !== (port === undefined)) throw new Error('--base and --origin-port go together.')
  if (base !== undefined && style !== undefined) throw new Error('--style does not apply to --base.')
  return {
    help: values.help ?? false,
    list: values.list ?? false,
    groups: values.group?.map(groupNamed) ?? GROUPS,
    styles: style?.map(styleNamed) ?? STYLES,
    base: base === undefined ? undefined : baseUrl(base),
    originPort: portNumber(port ?? '0'),
  }
}

function groupNamed(name: string): Group {
  const found = GROUPS.find((group) => group.name.toLowerCase() === name.toLowerCase())
  if (found !== undefined) return found
  throw new Error(`--group takes one of ${GROUPS.map((group) => group.name).join('; ')}, not ${JSON.stringify(name)}.`)
}

function styleNamed(name: string): Style {
  const found = STYLES.find((style) => style === name)
  if (found !== undefined) return found
  throw new Error(`--style takes one of ${STYLES.join(', ')}, not ${JSON.stringify(name)}.`)
}

function baseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' && url.hostname === '127.0.0.1' && url.pathname === '/') return url
  throw new Error(`--base takes http://127.0.0.1:PORT, not ${JSON.stringify(text)}.`)
}

function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text)
  throw new Error(`--origin-port takes a port number, not ${JSON.stringify(text)}.`)
}

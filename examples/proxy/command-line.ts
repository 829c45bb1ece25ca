import { parseArgs } from 'node:util'
import { STYLES, type Style } from './head.ts'
import { MOUNTS, PROFILES, type ProxyServerOptions } from './server.ts'

/** Something is wrong with the command line; the message says what, and what to write instead. */
export class CommandLineError extends Error {
  override readonly name = 'CommandLineError'
  readonly exitCode = 2
}

export const HELP = `node --import tsx examples/proxy/main.ts --origin URL [options]

  --origin URL     where requests go, such as http://127.0.0.1:8000
  --port N         where to listen (8080); 0 takes a free one
  --profile NAME   rfc or safe (rfc)
  --no-cache       pass everything on, store nothing
  --style NAME     how the head is put on a response (setHeader): setHeader, appendHeader, writeHead-object, writeHead-array
  --mount NAME     where the cache stands (app): app, in an Express application, or front, before the bare handler`

/** What the command line asks for. */
export type CommandLine = { readonly help: true } | ({ readonly help: false } & ProxyServerOptions)

const VALUES = {
  origin: 'http://127.0.0.1:8000',
  port: '8080',
  profile: 'rfc',
  style: 'setHeader',
  mount: 'app',
} as const

type ValueOption = keyof typeof VALUES

/**
 * Read the arguments.
 * @throws CommandLineError that names the option, the value and the fix
 */
export function readCommandLine(args: readonly string[]): CommandLine {
  const values = new Map<ValueOption, string>()
  let cached = true
  for (const token of parseArgs({ args: [...args], options: PARSED, strict: false, tokens: true }).tokens) {
    if (token.kind !== 'option') {
      const text = token.kind === 'positional' ? token.value : '--'
      throw new CommandLineError(`Unexpected argument ${JSON.stringify(text)}. Possible: ${possible()}.`)
    }
    const { name, rawName, value } = token
    if (isValueOption(name)) {
      // An option that follows at once is no value.
      if (value === undefined || value === '' || (value.startsWith('--') && token.inlineValue === false)) {
        throw new CommandLineError(`${rawName} takes a value. Write it like ${rawName} ${VALUES[name]}.`)
      }
      if (values.has(name)) throw new CommandLineError(`${rawName} was given twice. Leave out one of them.`)
      values.set(name, value)
    } else if (name === 'no-cache' || name === 'help' || name === 'h') {
      if (value !== undefined) {
        throw new CommandLineError(`${rawName} takes no value, not ${JSON.stringify(value)}. Write it alone.`)
      }
      if (name !== 'no-cache') return { help: true }
      cached = false
    } else throw new CommandLineError(`Unknown option ${rawName}. Possible: ${possible()}.`)
  }
  return {
    help: false,
    origin: readOrigin(values.get('origin')),
    port: readPort(values.get('port') ?? VALUES.port),
    profile: oneOf('profile', PROFILES, values.get('profile') ?? VALUES.profile),
    style: oneOf<Style>('style', STYLES, values.get('style') ?? VALUES.style),
    mount: oneOf('mount', MOUNTS, values.get('mount') ?? VALUES.mount),
    cached,
  }
}

const PARSED = {
  origin: { type: 'string' },
  port: { type: 'string' },
  profile: { type: 'string' },
  style: { type: 'string' },
  mount: { type: 'string' },
  'no-cache': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

function possible(): string {
  return Object.keys(PARSED)
    .map((name) => `--${name}`)
    .join(', ')
}

function isValueOption(name: string): name is ValueOption {
  return Object.hasOwn(VALUES, name)
}

function readOrigin(text: string | undefined): URL {
  const wanted = `an http URL without a path, such as --origin ${VALUES.origin}`
  if (text === undefined) throw new CommandLineError(`--origin is missing. It takes ${wanted}.`)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' && url.href === `http://${url.host}/`) return url
  throw new CommandLineError(`--origin takes ${wanted}, not ${JSON.stringify(text)}.`)
}

function readPort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new CommandLineError(
    `--port takes a whole number from 0 to 65535, such as --port ${VALUES.port}, not ${JSON.stringify(text)}.`,
  )
}

function oneOf<T extends string>(option: string, known: readonly T[], text: string): T {
  const found = known.find((name) => name === text)
  if (found !== undefined) return found
  throw new CommandLineError(`--${option} takes ${known.join(' or ')}, not ${JSON.stringify(text)}.`)
}

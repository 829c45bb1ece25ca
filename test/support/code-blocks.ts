import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const tsx = import.meta.resolve('tsx')

/** A fenced block of a Markdown page. */
export interface CodeBlock {
  readonly language: string
  /** What follows the language: `run`, `app`, or nothing. */
  readonly tag: string
  readonly code: string
  readonly line: number
}

const SCRIPTS = ['js', 'javascript', 'mjs', 'cjs', 'ts', 'typescript']
const SHELLS = ['sh', 'bash', 'shell', 'console']

/** The blocks of a page that have to be executed, in their order. */
export function codeBlocks(page: string): readonly CodeBlock[] {
  return [...page.matchAll(/^```([a-z]+)[ \t]*([^\n]*)\n([\s\S]*?)^```$/gm)]
    .map((match) => {
      const [, language = '', tag = '', code = ''] = match
      return { language, tag: tag.trim(), code, line: page.slice(0, match.index).split('\n').length }
    })
    .filter(({ language }) => SCRIPTS.includes(language) || SHELLS.includes(language))
}

/** Runs the blocks of one page: an application started by one of them answers the `curl` lines after it. */
export class PageRunner {
  readonly #place: string = mkdtempSync(join(tmpdir(), 'cachewell-readme-'))
  #app: ChildProcess | undefined
  #port = 0
  #count = 0

  constructor() {
    const modules = join(this.#place, 'node_modules')
    mkdirSync(join(modules, 'cachewell'), { recursive: true })
    for (const name of ['connect', 'devalue', 'express', 'ioredis'])
      symlinkSync(join(root, 'node_modules', name), join(modules, name), 'dir')
    const exports = { '.': './index.ts', './strategies': './strategies.ts' }
    writeFileSync(
      join(modules, 'cachewell/package.json'),
      JSON.stringify({ name: 'cachewell', type: 'module', exports }),
    )
    writeFileSync(
      join(modules, 'cachewell/index.ts'),
      `export * from ${JSON.stringify(join(root, 'middleware/index.ts'))}\n`,
    )
    writeFileSync(
      join(modules, 'cachewell/strategies.ts'),
      `export * from ${JSON.stringify(join(root, 'strategies/index.ts'))}\n`,
    )
    writeFileSync(join(this.#place, 'package.json'), '{ "name": "readme", "type": "module" }')
  }

  /** Execute a block; rejects when it fails, prints something else than it says, or is not marked. */
  async run(block: CodeBlock): Promise<void> {
    if (SHELLS.includes(block.language)) await this.#runShell(block.code)
    else if (block.tag === 'run') await this.#runScript(block)
    else if (block.tag === 'app') await this.#startApp(block)
    else
      throw new Error(
        `Line ${block.line}: mark the block as \`\`\`${block.language} run or \`\`\`${block.language} app.`,
      )
  }

  async close(): Promise<void> {
    await this.#stopApp()
    rmSync(this.#place, { recursive: true, force: true })
  }

  async #runScript(block: CodeBlock): Promise<void> {
    const { status, output, stderr } = await capture(
      process.execPath,
      ['--import', tsx, this.#save(block)],
      this.#place,
    )
    if (status !== 0) throw new Error(`Line ${block.line}: the block ended with ${status}.\n${output}`)
    // A failing console.assert ends nothing.
    if (stderr.includes('Assertion failed')) throw new Error(`Line ${block.line}: ${stderr}`)
  }

  async #startApp(block: CodeBlock): Promise<void> {
    await this.#stopApp()
    this.#port = await freePort()
    const app = spawn(process.execPath, ['--import', tsx, this.#save(block)], {
      cwd: this.#place,
      env: environment(),
    })
    this.#app = app
    let output = ''
    app.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    while (!(await accepts(this.#port))) {
      if (app.exitCode !== null)
        throw new Error(`Line ${block.line}: the application ended with ${app.exitCode}.\n${output}`)
      await delay(20)
    }
  }

  async #stopApp(): Promise<void> {
    const app = this.#app
    this.#app = undefined
    if (app === undefined || app.exitCode !== null) return
    app.kill('SIGKILL')
    await once(app, 'exit')
  }

  async #runShell(code: string): Promise<void> {
    for (const { command, expected } of transcript(code)) {
      if (!command.startsWith('curl ')) {
        for (const part of command.split('&&')) checkCommand(part.trim())
        continue
      }
      if (this.#app === undefined) throw new Error(`No application is running for: ${command}`)
      const { output } = await capture('sh', ['-c', this.#onPort(command)], this.#place)
      if (!matchesOutput(this.#onPort(expected), output)) {
        throw new Error(`${command}\n--- the page says\n${expected}\n--- it prints\n${output}`)
      }
    }
  }

  #save({ language, code }: CodeBlock): string {
    const extension = language.includes('t') ? 'ts' : /\brequire\(/.test(code) ? 'cjs' : 'mjs'
    const file = join(this.#place, `block-${this.#count++}.${extension}`)
    writeFileSync(file, this.#onPort(code))
    return file
  }

  #onPort(code: string): string {
    return code.replaceAll(/\b3000\b/g, String(this.#port))
  }
}

/** Is this what was printed? `...` in the expected text is any text on a line, and alone any number of lines. */
export function matchesOutput(expected: string, output: string): boolean {
  const pattern = expected
    .trimEnd()
    .split('\n')
    .map((line) => (line.trim() === '...' ? '(?:.*\n)*?' : `${line.trimEnd().split('...').map(literal).join('.*')}\n`))
    .join('')
  return new RegExp(`^${pattern}$`).test(`${output.replaceAll('\r', '').trimEnd()}\n`)
}

/** Commands start with `$ `, or stand alone in a block without output. */
function transcript(code: string): readonly { readonly command: string; readonly expected: string }[] {
  if (!/^\$ /m.test(code)) {
    const lines = code.split('\n').map((line) => line.replace(/\s+#.*$/, '').trim())
    return lines.filter((line) => line !== '' && !line.startsWith('#')).map((command) => ({ command, expected: '' }))
  }
  return code
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...lines] = part.split('\n')
      return { command: command.trim(), expected: lines.join('\n') }
    })
}

/** What cannot be run inside a test has to name a script or a package that exists. */
function checkCommand(command: string): void {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>
    readonly peerDependencies: Readonly<Record<string, string>>
    readonly devDependencies: Readonly<Record<string, string>>
  }
  const [program, verb = '', ...words] = command.replace(/^([A-Z_]+=\S* )+/, '').split(/\s+/)
  const script = verb === 'run' ? words[0] : verb
  const installs = ['i', 'install', 'add'].includes(verb)
  const packages = ['cachewell', ...Object.keys(manifest.peerDependencies), ...Object.keys(manifest.devDependencies)]
  const known =
    program === 'npm' &&
    (command === 'npm ci' ||
      (installs && words.every((word) => word.startsWith('-') || packages.includes(word))) ||
      (script !== undefined && manifest.scripts[script] !== undefined && fileOf(manifest.scripts[script])))
  if (!known) throw new Error(`Nothing can check the command: ${command}`)
}

/** The file that a script runs by tsx or node has to be there. */
function fileOf(script: string): boolean {
  const file = /^(?:tsx|node) (\S+)/.exec(script)?.[1]
  return file === undefined || readFileSync(join(root, file)).length > 0
}

function capture(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly status: number; readonly output: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env: environment(), timeout: 20_000 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      resolve({ status, output: status === 0 ? stdout : stdout + stderr, stderr })
    })
  })
}

/** No Redis and no settings of the machine that runs the test. */
function environment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, 'localhost')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

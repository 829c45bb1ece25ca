import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const bin = (name: string): string => join(root, 'node_modules/.bin', name)

/**
 * The package as users get it: built and packed once, installed into an empty place with its dependencies, and used from
 * there. `npm run test:package` runs this; it is too slow for `npm test`.
 */
describe('the packed package', () => {
  let place: string
  let tarball: string

  before(async () => {
    place = mkdtempSync(join(tmpdir(), 'cachewell-package-'))
    // `npm pack` builds by the script "prepack".
    await npm(root, 'pack', '--pack-destination', place)
    tarball = join(place, readdirSync(place).find((name) => name.endsWith('.tgz')) ?? '')
    writeFileSync(join(place, 'package.json'), '{ "name": "user", "private": true }\n')
    cpSync(join(root, 'test/package/fixtures'), place, { recursive: true })
    await npm(place, 'install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', tarball)
  })

  after(() => {
    rmSync(place, { recursive: true, force: true })
  })

  it('contains the builds, the documentation and nothing else', () => {
    const installed = join(place, 'node_modules/cachewell')
    const allowed = ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json']
    expect(readdirSync(installed)).to.have.members(allowed)
    const files = readdirSync(join(installed, 'dist'), { recursive: true }).map(String)
    expect(files.filter((name) => /(^|\/)test|\.map$|(?<!\.d)\.ts$/.test(name))).to.deep.equal([])
  })

  it('installs no optional peer and no install script', () => {
    const lock = JSON.parse(readFileSync(join(place, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>
    }
    expect(Object.keys(lock.packages)).to.have.members([
      '',
      'node_modules/cachewell',
      'node_modules/etag',
      'node_modules/lru-cache',
      'node_modules/structured-headers',
    ])
    expect(Object.values(lock.packages).some((item) => item.hasInstallScript === true)).to.equal(false)
  })

  for (const kind of ['cjs', 'esm']) {
    it(`answers the second request from memory in a project of type ${kind}, and lets the process end`, async () => {
      expect(await output(join(place, kind), 'serve.js')).to.deep.equal({
        calls: 1,
        answers: [
          { body: 'hello', cache: 'MISS' },
          { body: 'hello', cache: 'HIT' },
        ],
        strategies: 'object',
      })
    })
  }

  it('shares the default cache between both builds, and records once where both are mounted', async () => {
    expect(await output(join(place, 'esm'), 'both.js')).to.deep.equal({
      different: true,
      calls: { '/shared': 1, '/nested': 1 },
      answers: ['MISS', 'HIT', 'MISS', 'HIT'],
    })
  })

  for (const [express, types] of [
    ['Express 5', '@types/express'],
    ['Express 4', '@types/express-4'],
  ] as const) {
    for (const [kind, options] of [
      ['module', { module: 'nodenext' }],
      ['commonjs', { module: 'nodenext' }],
      ['module', { module: 'esnext', moduleResolution: 'bundler' }],
    ] as const) {
      it(`compiles every line of the contract with the types of ${express}, ${JSON.stringify({ type: kind, ...options })}`, async () => {
        const project = mkdtempSync(join(place, 'types-'))
        cpSync(join(place, 'types'), project, { recursive: true })
        link(join(root, 'node_modules', types), join(project, 'node_modules/@types/express'))
        link(join(root, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'))
        writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: kind }))
        const compilerOptions = {
          target: 'es2023',
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
        }
        const rest = { esModuleInterop: true, noEmit: true, skipLibCheck: true, types: ['node'], ...options }
        writeFileSync(
          join(project, 'tsconfig.json'),
          JSON.stringify({ compilerOptions: { ...compilerOptions, ...rest } }),
        )
        await quiet(bin('tsc'), ['-p', project])
      })
    }
  }

  it('has types that stand on their own', async () => {
    const project = mkdtempSync(join(place, 'bare-'))
    link(join(root, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'))
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(project, 'use.ts'), "export * from 'cachewell'\nexport * from 'cachewell/strategies'\n")
    const compilerOptions = {
      target: 'es2023',
      module: 'nodenext',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: ['node'],
    }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
    await quiet(bin('tsc'), ['-p', project])
  })

  it('satisfies publint', async () => {
    await quiet(bin('publint'), ['run', tarball, '--strict'])
  })

  it('satisfies attw', async () => {
    await quiet(bin('attw'), [tarball, '--no-emoji', '--no-color'])
  })
})

async function npm(cwd: string, ...args: readonly string[]): Promise<void> {
  await quiet(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, cwd)
}

/** Run a program; what it printed is the error's message when it fails. */
async function quiet(command: string, args: readonly string[], cwd?: string): Promise<void> {
  try {
    await run(command, args, cwd === undefined ? {} : { cwd })
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string }
    throw new Error(`${command} ${args.join(' ')}\n${stdout ?? ''}${stderr ?? ''}`)
  }
}

/** The JSON on the last line that a script prints; a script that does not end by itself is killed and fails. */
async function output(cwd: string, script: string): Promise<unknown> {
  const env = { PATH: process.env['PATH'] ?? '' }
  const { stdout } = await run(process.execPath, [script], { cwd, timeout: 20_000, env })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path, 'dir')
}

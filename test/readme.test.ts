/**
 * Every block of code in README.md and docs/ is executed, so that what they show is true:
 *
 * - ```js run, ```ts run: a module that has to end by itself without an error;
 * - ```js app, ```ts app: an application that listens on port 3000 (another one is put in its place);
 * - ```sh with `$ curl ...` lines: run against that application, and what follows a line is what it prints. `...` stands for
 *   any text on a line, a line `...` for any lines. Other commands are `npm ...`: they have to name a script of package.json
 *   or packages that exist.
 *
 * A block of these languages without such a mark fails.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { codeBlocks, matchesOutput, PageRunner } from './support/code-blocks.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
)

/** Without curl its lines are not run; CI installs it. */
function hasCurl(): boolean {
  const found = spawnSync('curl', ['--version'], { stdio: 'ignore' }).status === 0
  if (!found && process.env['CI'] !== undefined) throw new Error('curl is missing: apt-get install curl')
  if (!found)
    console.warn('  SKIPPED: the curl lines of the documentation. Install curl to run them: apt-get install curl')
  return found
}

describe('the documentation', () => {
  for (const page of pages) {
    describe(page, () => {
      const blocks = existsSync(join(root, page)) ? codeBlocks(readFileSync(join(root, page), 'utf8')) : undefined
      let runner: PageRunner
      before(() => {
        runner = new PageRunner()
      })
      after(() => runner.close())

      it('exists', () => {
        expect(blocks).to.not.equal(undefined)
      })
      for (const block of blocks ?? []) {
        it(`tells the truth in the ${block.language} block of line ${block.line}`, async function () {
          if (block.code.includes('curl ') && !hasCurl()) this.skip()
          await runner.run(block)
        }).timeout(30_000)
      }
    })
  }
})

describe('PageRunner', () => {
  const app =
    "import http from 'node:http'\nhttp.createServer((req, res) => res.end(`seen ${req.url}\\n`)).listen(3000)\n"
  const fence = '```'
  let runner: PageRunner
  beforeEach(() => {
    runner = new PageRunner()
  })
  afterEach(() => runner.close())

  /** What goes wrong in a page, or undefined. */
  async function faultIn(page: string): Promise<string | undefined> {
    for (const block of codeBlocks(page)) {
      const fault = await runner.run(block).then(
        () => undefined,
        (error: Error) => error.message,
      )
      if (fault !== undefined) return fault
    }
    return undefined
  }

  it('accepts a page that is true', async () => {
    const shell = '$ curl -s localhost:3000/a\nseen /a\n$ curl -si localhost:3000/b\nHTTP/1.1 200 OK\n...\nseen ...\n'
    const page = `${fence}js app\n${app}${fence}\n\n${fence}sh\n${shell}${fence}\n${fence}json\n{]\n${fence}\n`
    expect(await faultIn(page)).to.equal(undefined)
  }).timeout(20_000)

  it('refuses output that is not what the application prints', async () => {
    const page = `${fence}js app\n${app}${fence}\n${fence}sh\n$ curl -s localhost:3000/a\nseen /b\n${fence}\n`
    expect(await faultIn(page)).to.match(/the page says\nseen \/b\n\n--- it prints\nseen \/a/)
  }).timeout(20_000)

  it('refuses a block that throws', async () => {
    expect(await faultIn(`${fence}ts run\nconst a: number = 1\nthrow new Error('no' + a)\n${fence}\n`)).to.match(/no1/)
  }).timeout(20_000)

  it('refuses a block whose assertion fails', async () => {
    expect(await faultIn(`${fence}ts run\nconsole.assert(1 > 2)\n${fence}\n`)).to.match(/Assertion failed/)
  }).timeout(20_000)

  it('refuses a block that is not marked', async () => {
    expect(await faultIn(`text\n\n${fence}js\n1\n${fence}\n`)).to.match(/^Line 3: mark the block/)
  })

  it('refuses a command that names no script', async () => {
    expect(await faultIn(`${fence}sh\nnpm ci && npm run fly\n${fence}\n`)).to.equal(
      'Nothing can check the command: npm run fly',
    )
    expect(await faultIn(`${fence}sh\nrm -rf /\n${fence}\n`)).to.equal('Nothing can check the command: rm -rf /')
    expect(await faultIn(`${fence}sh\nnpm ci && npm test   # all of it\nnpm i cachewell ioredis\n${fence}\n`)).to.equal(
      undefined,
    )
  })

  it('takes three dots for any text', () => {
    expect(matchesOutput('ETag: "..."\n', 'ETag: "abc"\r\n')).to.equal(true)
    expect(matchesOutput('a\n...\nd\n', 'a\nb\nc\nd\n')).to.equal(true)
    expect(matchesOutput('a\n...\nd\n', 'a\nb\n')).to.equal(false)
    expect(matchesOutput('a', 'a\nb')).to.equal(false)
  })
})

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const root = fileURLToPath(new URL('../../', import.meta.url))

interface Case {
  readonly title: string
  readonly file: string
  readonly source: string
  /** The rule that objects; undefined for what is allowed. */
  readonly rule: string | undefined
}

const imports = 'no-restricted-imports'
const load = (path: string) => `import { x } from '${path}'\nx()`

const cases: readonly Case[] = [
  { title: 'a value importing a value', file: 'lib/policy.ts', source: load('./http/dates.ts'), rule: undefined },
  { title: 'a value importing an edge', file: 'lib/entry.ts', source: load('./clock.ts'), rule: imports },
  { title: 'a value importing the type of an edge', file: 'lib/key.ts', source: typeOf('./tags.ts'), rule: imports },
  { title: 'a value doing I/O', file: 'lib/size.ts', source: load('node:fs'), rule: imports },
  {
    title: 'a value setting a timer',
    file: 'lib/glob.ts',
    source: 'setTimeout(() => {}, 1)',
    rule: 'no-restricted-globals',
  },
  { title: 'an HTTP rule importing an edge', file: 'lib/http/vary.ts', source: load('../events.ts'), rule: imports },
  { title: 'an HTTP rule importing a value', file: 'lib/http/range.ts', source: load('../entry.ts'), rule: undefined },
  { title: 'an edge importing an edge', file: 'lib/bus.ts', source: load('./stores/store.ts'), rule: undefined },
  { title: 'an edge importing the service', file: 'lib/codec.ts', source: load('./cache.ts'), rule: imports },
  {
    title: 'a store importing statistics',
    file: 'lib/stores/memory.ts',
    source: load('../analytics/s.ts'),
    rule: imports,
  },
  { title: 'a store importing a sibling', file: 'lib/stores/tiered.ts', source: load('./store.ts'), rule: undefined },
  {
    title: 'the service importing a middleware',
    file: 'lib/cache.ts',
    source: load('../middleware/x.ts'),
    rule: imports,
  },
  {
    title: 'the service importing a strategy',
    file: 'lib/index.ts',
    source: load('../strategies/x.ts'),
    rule: imports,
  },
  {
    title: 'a middleware importing the service',
    file: 'middleware/cache.ts',
    source: load('../lib/cache.ts'),
    rule: undefined,
  },
  {
    title: 'a middleware importing a strategy',
    file: 'middleware/route.ts',
    source: load('../strategies/x.ts'),
    rule: imports,
  },
  {
    title: 'a strategy importing a middleware',
    file: 'strategies/warm.ts',
    source: load('../middleware/x.ts'),
    rule: imports,
  },
  { title: 'a middleware importing an entry', file: 'middleware/front.ts', source: load('./index.ts'), rule: imports },
  { title: 'a middleware importing express', file: 'middleware/record.ts', source: typeOf('express'), rule: imports },
  { title: 'a store importing ioredis', file: 'lib/stores/redis.ts', source: typeOf('ioredis'), rule: imports },
  { title: 'the service loading ioredis later', file: 'lib/lazy.ts', source: "await import('ioredis')", rule: imports },
  { title: 'the Redis edge loading ioredis', file: 'lib/redis.ts', source: "await import('ioredis')", rule: undefined },
  { title: 'a strategy loading bullmq', file: 'strategies/lazy.ts', source: "await import('bullmq')", rule: imports },
  {
    title: 'the write-behind queue loading bullmq',
    file: 'strategies/write-behind/bullmq.ts',
    source: "await import('bullmq')",
    rule: undefined,
  },
  { title: 'asking for the time', file: 'lib/lease.ts', source: 'Date.now()', rule: 'no-restricted-properties' },
  {
    title: 'asking for elapsed time',
    file: 'middleware/a.ts',
    source: 'performance.now()',
    rule: 'no-restricted-globals',
  },
  { title: 'the clock asking for the time', file: 'lib/clock.ts', source: 'Date.now()', rule: undefined },
  {
    title: 'a cycle of types',
    file: 'middleware/one.ts',
    source: `${typeOf('./two.ts')}\nexport type T = 1`,
    rule: 'no-cycle',
  },
  {
    title: 'its other half',
    file: 'middleware/two.ts',
    source: `${typeOf('./one.ts')}\nexport type T = 1`,
    rule: 'no-cycle',
  },
  { title: 'a floating promise', file: 'lib/p1.ts', source: 'Promise.resolve(1)', rule: 'no-floating-promises' },
  {
    title: 'a promise as condition',
    file: 'lib/p2.ts',
    source: 'if (Promise.resolve(1)) throw 1',
    rule: 'no-misused-promises',
  },
  { title: 'awaiting no promise', file: 'lib/p3.ts', source: 'await 1', rule: 'await-thenable' },
  { title: 'any', file: 'lib/any.ts', source: 'export const x: any = 1', rule: 'no-explicit-any' },
]

describe('the linter', () => {
  let found: readonly string[] = []

  before(() => {
    const place = mkdtempSync(join(tmpdir(), 'cachewell-lint-'))
    try {
      for (const name of ['.oxlintrc.json', 'tsconfig.json']) copyFileSync(join(root, name), join(place, name))
      symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'), 'dir')
      for (const { file, source } of cases) {
        mkdirSync(dirname(join(place, file)), { recursive: true })
        writeFileSync(join(place, file), /^(im|ex)port/.test(source) ? source : `${source}\nexport {}`)
      }
      found = lint(place)
    } finally {
      rmSync(place, { recursive: true, force: true })
    }
  })

  for (const { title, file, rule } of cases) {
    it(rule === undefined ? `lets pass: ${title}` : `finds: ${title}`, () => {
      const here = found.filter((line) => line.startsWith(`${file}:`))
      if (rule === undefined) expect(here).to.deep.equal([])
      else expect(here.join('\n')).to.include(`(${rule})`)
    })
  }
})

function typeOf(path: string): string {
  return `import type { T as Other } from '${path}'\nexport type Made = Other`
}

function lint(cwd: string): readonly string[] {
  try {
    execFileSync(
      join(root, 'node_modules/.bin/oxlint'),
      ['--type-aware', '-f', 'unix', 'lib', 'middleware', 'strategies'],
      { cwd, encoding: 'utf8' },
    )
    return []
  } catch (error) {
    return String((error as { readonly stdout?: unknown }).stdout).split('\n')
  }
}

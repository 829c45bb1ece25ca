// Compiles the package twice, to ES modules and to CommonJS, each with its own types.
import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = dirname(import.meta.dirname)
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')

await rm(join(root, 'dist'), { recursive: true, force: true })
await Promise.all(['tsconfig.esm.json', 'tsconfig.cjs.json'].map(compile))
// The package is of type "module"; without this the CommonJS files would be taken for ES modules.
await writeFile(join(root, 'dist', 'cjs', 'package.json'), '{ "type": "commonjs" }\n')

async function compile(project) {
  try {
    await run(process.execPath, [tsc, '-p', join(root, project)], { cwd: root })
  } catch (error) {
    process.stderr.write(error.stdout ?? String(error))
    process.exitCode = 1
  }
}

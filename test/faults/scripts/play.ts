import { SCRIPTS } from './all.ts'
import { World } from './world.ts'

/** Runs the script named on the command line and prints, as JSON, what was promised and not kept. */

const name = process.argv[2] ?? ''
const script = SCRIPTS[name]
if (script === undefined) throw new Error(`There is no script "${name}"`)
const breaches = await World.run(script)
process.stdout.write(`${JSON.stringify(breaches)}\n`, () => process.exit())

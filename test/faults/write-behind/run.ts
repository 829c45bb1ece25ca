import { parseArgs } from 'node:util'
import { tryMutants } from './mutation.ts'
import { play } from './play.ts'

/**
 * Every acknowledged update of a write-behind queue arrives, in order for each key, and none twice in effect, while the processes that
 * update and those that save are killed at random moments, and Redis with them now and then.
 *
 *     --updates 10000  how many are acknowledged before it ends
 *     --keys 300
 *     --redis          kill Redis, too; it writes each command to its disk
 *     --unguarded      the database does not compare versions
 *     --mutants        instead, switch off each guard in turn, that of the database included, to see that its loss is noticed
 *
 * Ends with 1 where something was promised and not kept, or the loss of a guard not noticed.
 */

const { values } = parseArgs({
  options: {
    updates: { type: 'string', default: '10000' },
    keys: { type: 'string', default: '300' },
    redis: { type: 'boolean', default: false },
    unguarded: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
  },
})

if (values.mutants) process.exitCode = (await tryMutants()) ? 0 : 1
else process.exitCode = (await play({ ...values, updates: Number(values.updates), keys: Number(values.keys) })) ? 0 : 1

import { CHANGES } from './changes.ts'
import { FALLBACKS } from './fallbacks.ts'
import { FILLS } from './fills.ts'
import { INVALIDATIONS } from './invalidations.ts'
import { LEASES } from './leases.ts'
import { LOSSES } from './losses.ts'
import type { Scripts } from './script.ts'
import { WRITES } from './writes.ts'

/** All of them, by name. */
export const SCRIPTS: Scripts = {
  ...INVALIDATIONS,
  ...LEASES,
  ...FILLS,
  ...LOSSES,
  ...CHANGES,
  ...WRITES,
  ...FALLBACKS,
}

import { measureFleet } from './fleet.ts'
import { measureOutages } from './outages.ts'
import { measureTag } from './tag.ts'

/** What Redis costs an application when it fails or is under load. Exit code 1 when a bar is missed. Arguments: parts to run; `--counts`: times do not decide. */
const PARTS: Readonly<Record<string, () => Promise<boolean>>> = {
  outages: measureOutages,
  fleet: measureFleet,
  tag: measureTag,
}

const wanted = process.argv.slice(2).filter((argument) => argument !== '--counts')
for (const [name, measure] of Object.entries(PARTS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  if (!(await measure())) process.exitCode = 1
}

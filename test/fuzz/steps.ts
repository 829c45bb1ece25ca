import { type Profiler, Session } from 'node:inspector'
import { forEachShape, type Growth, growsTooFast, type Steps, type StepsOrder, textsOf } from './growth.ts'

/**
 * Counts what parsers do, in a process of its own because it counts by changing the process. The steps of a run are
 *
 * - the characters of source text that were executed: each block (a function, the body of a loop, a branch) as often as the
 *   engine's coverage counters say. They are exact as long as nothing is optimised (`--no-opt`) and they are switched on before
 *   the code is loaded;
 * - the elements and characters that built-in functions went over. Those that can do much in one call are replaced by ones that
 *   add what they did, the iterators among them: `[...list]` in a loop is as quadratic as two loops.
 *
 * The code that is counted stays as it is; nothing is rewritten. What cannot be seen is a search within a regular expression and
 * the comparison of two strings: for these there is the time.
 */

let counting = false
let charged = 0

function charge(steps: number): void {
  if (counting) charged += steps
}

/** Replace a built-in by one that does the same and adds what it went over. */
function watch(
  holder: object,
  name: string,
  cost: (self: unknown, args: readonly unknown[], result: unknown) => number,
): void {
  const original: unknown = Reflect.get(holder, name)
  if (typeof original !== 'function') throw new Error(`there is no ${name} to watch`)
  const watched = function (this: unknown, ...args: unknown[]): unknown {
    const result: unknown = Reflect.apply(original, this, args)
    charge(cost(this, args, result))
    return result
  }
  Object.defineProperty(holder, name, { value: watched, configurable: true, writable: true })
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length
  return value instanceof Set || value instanceof Map ? value.size : 1
}

const whole = (self: unknown): number => sizeOf(self)
const made = (_self: unknown, _args: readonly unknown[], result: unknown): number => sizeOf(result)
/** As far as it looked: to what it found, else to the end. */
const searched = (self: unknown, [, from]: readonly unknown[], result: unknown): number => {
  const end = typeof result === 'number' && result >= 0 ? result : sizeOf(self)
  return Math.max(1, end - (typeof from === 'number' ? from : 0))
}

for (const name of [
  'split',
  'toLowerCase',
  'toUpperCase',
  'trim',
  'includes',
  'replace',
  'replaceAll',
  'search',
  'normalize',
]) {
  watch(String.prototype, name, whole)
}
for (const name of ['repeat', 'padStart', 'padEnd', 'concat']) watch(String.prototype, name, made)
for (const name of [
  'includes',
  'join',
  'map',
  'filter',
  'sort',
  'reverse',
  'unshift',
  'shift',
  'splice',
  'lastIndexOf',
]) {
  watch(Array.prototype, name, whole)
}
for (const name of ['slice', 'concat', 'flat', 'flatMap']) watch(Array.prototype, name, made)
for (const holder of [String.prototype, Array.prototype]) watch(holder, 'indexOf', searched)
for (const list of [[], new Set(), new Map(), '']) {
  watch(Object.getPrototypeOf(list[Symbol.iterator]()) as object, 'next', () => 1)
}
// One that is sticky does not search.
watch(RegExp.prototype, 'exec', (self, [text]) => (self instanceof RegExp && self.sticky ? 1 : sizeOf(text)))
for (const name of ['keys', 'values', 'entries', 'fromEntries', 'assign'])
  watch(Object, name, (_self, [first]) => sizeOf(first))

const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })

/** What is counted: our parsers, and the one of structured fields that they call. */
const COUNTED = /\/lib\/http\/|\/test\/fuzz\/specimens\.ts|\/structured-headers\//

/** How many characters of source text were executed since the last call. */
function executedSource(): number {
  let executed = 0
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error !== null) throw error
    for (const script of result) {
      if (COUNTED.test(script.url)) for (const { ranges } of script.functions) executed += executedIn(ranges)
    }
  })
  return executed
}

/** Blocks lie within each other, outer before inner; one that is not mentioned was executed as often as the one around it. */
function executedIn(ranges: readonly Profiler.CoverageRange[]): number {
  const around: Profiler.CoverageRange[] = []
  let executed = 0
  for (const range of ranges) {
    while ((around.at(-1)?.endOffset ?? Number.POSITIVE_INFINITY) <= range.startOffset) around.pop()
    executed += (range.count - (around.at(-1)?.count ?? 0)) * (range.endOffset - range.startOffset)
    around.push(range)
  }
  return executed
}

const order = JSON.parse(process.argv[2] ?? '') as StepsOrder
// Only now: what was loaded before the counters are switched on is not counted.
const { SUBJECTS } = await import('./subjects.ts')
const { SPECIMENS } = await import('./specimens.ts')
executedSource()

let series = 0
for (const subject of order.subjects === 'parsers' ? SUBJECTS : SPECIMENS) {
  forEachShape(subject, (slot, shape) => {
    if (series++ % order.oneIn !== 0) return
    const steps: Steps[] = []
    let thrown: string | undefined
    for (const length of order.lengths) {
      const texts = textsOf(subject, slot, shape.fill(length))
      charged = 0
      counting = true
      try {
        subject.run(texts)
      } catch (error) {
        thrown = String(error)
      }
      counting = false
      const executed = executedSource()
      if (thrown !== undefined) break
      steps.push({ executed, passed: charged })
      if (growsTooFast(steps)) break
    }
    const growth: Growth = { subject: subject.name, slot: slot.name, shape: shape.name, steps, thrown }
    process.send?.(growth)
  })
}
process.disconnect?.()

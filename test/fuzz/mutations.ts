import type { Random } from './random.ts'
import { SHAPES } from './shapes.ts'

/** A text to give to a parser: a real value with something done to it, or noise. Field lines are separated by line feeds. */
export function mutated(random: Random, seeds: readonly string[]): string {
  const kind = random.below(100)
  if (kind < 5) return noise(random, 1 + random.below(64))
  if (kind < 7) return random.pick(SHAPES).fill(1 + random.below(2000))
  let text = random.pick(seeds)
  for (let times = random.below(4); times > 0; times--) text = random.pick(MUTATIONS)(text, random, seeds)
  return text.slice(0, HUGE)
}

/** A text that is as long as it gets: 100 kB of one shape. */
export function huge(random: Random): string {
  return random.pick(SHAPES).fill(HUGE)
}

const HUGE = 100_000

/** What means something to one parser or another. */
const FRAGMENTS: readonly string[] = [
  ...',;=:"\\*?/-@%()[]&#+.<> \t\n\0\r',
  '\u007f',
  '\u0080',
  '\u00ff',
  '\u0130',
  '\u2028',
  '\ud800',
  '\udc00',
  '""',
  '="',
  '",',
  '\\"',
  ' = ',
  ', ,',
  'W/',
  'w/',
  '-0',
  '-1',
  '1.5',
  '1e9',
  '0x10',
  '9007199254740993',
  '99999999999999999999999999',
  'NaN',
  'Infinity',
  'no-store',
  'private',
  'private="set-cookie"',
  'no-cache',
  'public',
  'must-understand',
  'max-age=0',
  'max-age=60',
  's-maxage=600',
  'stale-while-revalidate=30',
  'stale-if-error',
  '?0',
  '?1',
  ';q=1',
  ';q=0.5',
  'bytes=',
  'GMT',
  '00:00:60',
  '29 Feb',
  '__proto__',
  'constructor',
]

type Mutation = (text: string, random: Random, seeds: readonly string[]) => string

const MUTATIONS: readonly Mutation[] = [
  // Insert something, put it in place of something, put it around.
  (text, random) => splice(text, random.below(text.length + 1), 0, random.pick(FRAGMENTS)),
  (text, random) => splice(text, random.below(text.length + 1), 1 + random.below(3), random.pick(FRAGMENTS)),
  (text) => `"${text}"`,
  // Take away: the end, the beginning, something in between.
  (text, random) => text.slice(0, random.below(text.length + 1)),
  (text, random) => text.slice(random.below(text.length + 1)),
  (text, random) => splice(text, random.below(text.length + 1), 1 + random.below(8), ''),
  // Repeat a part, or all of it.
  (text, random) => {
    const start = random.below(text.length + 1)
    const part = text.slice(start, start + 1 + random.below(12))
    return splice(text, start, 0, part.repeat(1 + random.below(40)))
  },
  (text, random) => `${text}${random.pick([', ', ',', ';', '\n'])}`.repeat(2 + random.below(20)),
  // Beside another real value, in the same line or in one of its own.
  (text, random, seeds) => `${text}${random.pick([', ', ',', ' ', ';', '\n', ''])}${random.pick(seeds)}`,
  (text, random) => (random.chance(0.5) ? text.toUpperCase() : text.toLowerCase()),
  // Another number in place of one that is there.
  (text, random) => text.replace(/\d+/, random.pick(['', '0', '00060', '-1', '1.0', '2147483648', '9'.repeat(400)])),
  (text, random) => splice(text, random.below(text.length + 1), 1, noise(random, 1 + random.below(4))),
]

function splice(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove)
}

/** Octets as they come off the wire (latin1), now and then any code unit at all. */
function noise(random: Random, length: number): string {
  const limit = random.chance(0.1) ? 0x1_0000 : 0x100
  let text = ''
  for (let index = 0; index < length; index++) text += String.fromCharCode(random.below(limit))
  return text
}

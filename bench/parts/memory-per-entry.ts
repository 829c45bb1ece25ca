import { startCompanion } from '../../test/faults/outages/companion.ts'
import type { Footprint, FootprintAnswers, FootprintOptions } from '../companions/footprint.ts'
import type { Context } from '../part.ts'
import { installedValuePeers } from '../peer-values.ts'
import type { Section } from '../section.ts'

const OVERHEAD_BAR = 500
const RESIDENT_BAR = 1.25
const BOUND = '100mb'
const PEER_ENTRIES = 50_000
/** Nothing takes longer than this (ms): what is stored until then is measured. */
const WITHIN_MS = 20_000
const MANY_WITHIN_MS = 30_000

/** What is beside each body in the heap and in buffers, and whether the process keeps within what the cache accounts for. */
export async function run({ short }: Context): Promise<Section> {
  const ours = { subject: 'cachewell', withinMs: WITHIN_MS } as const
  const [many, [some, ...peers]] = await Promise.all([
    measure({ ...ours, entries: short ? 1_000 : 1_000_000, withinMs: MANY_WITHIN_MS }),
    measureSmall(short),
  ])
  // Alone, so that the garbage collector has a core of its own.
  const bounded = short ? many : await measure({ ...ours, entries: 400_000, maxSize: BOUND })
  const rows = [
    row('cachewell, responses', some.footprint),
    row('cachewell, responses', many),
    row(`cachewell, responses, 400,000 stored within ${BOUND}`, bounded),
    ...peers.map(({ subject, footprint }) => row(`${subject}, values`, footprint)),
  ]
  return {
    title: 'Memory per entry of 1 kB',
    note:
      'Each line is a process of its own. Heap and buffers after garbage collection, without body, field lines and key; resident size as ' +
      'the system counts it, less what the process had before, and while storing less what making the bodies alone takes. What is kept of ' +
      'one request through `withCache` is the model of all others, and samples are asked for afterwards. The peers keep a value alone, ' +
      'without the fields and rules of HTTP.',
    columns: ['', 'entries', 'bytes beside content', 'resident bytes', 'resident / accounted', 'the same, at most'],
    rows,
    verdicts: [
      verdict('Bytes beside the content, 100,000 entries', some.footprint.overhead, OVERHEAD_BAR),
      verdict(`Bytes beside the content, ${count(many.kept)} entries`, many.overhead, OVERHEAD_BAR),
      verdict(`Resident / accounted, ${count(many.kept)} entries at rest`, many.ratio, RESIDENT_BAR),
      verdict(`Resident / accounted, bound of ${BOUND}, at rest`, bounded.ratio, RESIDENT_BAR),
      verdict(`Resident / accounted, bound of ${BOUND}, while evicting`, bounded.ratioPeak, RESIDENT_BAR),
    ],
  }
}

interface Measured {
  readonly subject: FootprintOptions['subject']
  readonly footprint: Footprint
}

/** Ours with a tenth of the entries, and the peers with some, one after the other. */
async function measureSmall(short: boolean): Promise<readonly [Measured, ...Measured[]]> {
  const entries = short ? 1_000 : 100_000
  const ours = { subject: 'cachewell', entries, withinMs: WITHIN_MS } as const
  const measured: [Measured, ...Measured[]] = [{ subject: ours.subject, footprint: await measure(ours) }]
  for (const subject of short ? [] : await installedValuePeers()) {
    measured.push({ subject, footprint: await measure({ subject, entries: PEER_ENTRIES, withinMs: WITHIN_MS }) })
  }
  return measured
}

async function measure(options: FootprintOptions): Promise<Footprint> {
  process.stderr.write(`${options.subject}, ${count(options.entries)} entries\n`)
  // A bound is measured in the heap that node gives by itself; a million entries may need a larger one.
  const flags = ['--expose-gc', ...(options.maxSize === undefined ? ['--max-old-space-size=8192'] : [])]
  const companion = await startCompanion<FootprintAnswers>(
    new URL('../companions/footprint.ts', import.meta.url),
    options,
    flags,
  )
  try {
    return await companion.ask('measure')
  } finally {
    await companion.end()
  }
}

function row(name: string, { kept, overhead, resident, ratio, ratioPeak }: Footprint): readonly string[] {
  const shown = (value: number | undefined): string => value?.toFixed(2) ?? ''
  return [name, count(kept), overhead.toFixed(0), resident.toFixed(0), shown(ratio), shown(ratioPeak)]
}

function count(value: number): string {
  return value.toLocaleString('en')
}

function verdict(what: string, figure: number = Number.NaN, atMost: number): Section['verdicts'][number] {
  return { what, figure, bar: { atMost } }
}

import { expect } from 'chai'
import type { Cache } from '../../lib/cache.ts'
import { DOMAINS, type DomainRow, type EntityRow, type Ids, OTHERS, OURS } from '../strategies/domain-table.ts'

/** A domain over a cache, without its types: the table names what it has. */
type Bound = Readonly<Record<string, (args: object) => Promise<unknown>>>

/** Bind a domain, each value the number of its load; `settled` resolves when no load is under way or about to begin. */
function bind({ domain, entities }: DomainRow, cache: Cache) {
  let loads = 0
  let running = 0
  const load = Object.fromEntries(
    Object.keys(entities).map((entity) => [
      entity,
      async () => {
        running++
        await new Promise(setImmediate)
        running--
        return ++loads
      },
    ]),
  )
  const bound = (domain as (options: object) => Bound)({ cache, load })
  const settled = async (): Promise<void> => {
    for (let quiet = 0; quiet < 20; quiet = running === 0 ? quiet + 1 : 0) await new Promise(setImmediate)
  }
  return { bound, settled, loads: () => loads }
}

/** The arguments of an entity that is about these. */
function argumentsOf({ by }: EntityRow, ids: Ids): Readonly<Record<string, string>> {
  return Object.fromEntries(by.map((name) => [name, ids[name]]))
}

/** What each entity that is about these has now. */
async function readAll(row: DomainRow, bound: Bound, ids: Ids): Promise<Readonly<Record<string, unknown>>> {
  const read = Object.entries(row.entities).map(
    async ([name, entity]) => [name, await bound[name]?.(argumentsOf(entity, ids))] as const,
  )
  return Object.fromEntries(await Promise.all(read))
}

/** The names of what is no longer as it was. */
function changed(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(before).filter((name) => before[name] !== after[name])
}

function keyOf(row: DomainRow, entity: string, ids: Ids): string {
  const parts = row.entities[entity]?.by.map((name) => ids[name]) ?? []
  return row.key?.(entity, ids) ?? [row.service, entity, ...parts.map(encodeURIComponent), 'v1'].join(':')
}

/** What the domains promise, wherever their values are kept. */
export function describeDomains(title: string, make: () => Promise<Cache>): void {
  for (const [name, row] of Object.entries(DOMAINS)) {
    describe(`The ${name} domain: ${title}`, () => {
      let cache: Cache
      beforeEach(async () => {
        cache = await make()
      })
      afterEach(() => cache.close())

      it('keeps each entity under its key for its lifetime', async () => {
        const { bound } = bind(row, cache)
        await readAll(row, bound, OURS)
        const found: Record<string, number | undefined> = {}
        const promised: Record<string, number> = {}
        for (const [entity, { ttl }] of Object.entries(row.entities)) {
          found[entity] = await cache.ttl(keyOf(row, entity, OURS))
          promised[entity] = ttl
        }
        expect(found).to.deep.equal(promised)
      })

      it('loads each entity once, for each that it is about', async () => {
        const { bound, loads } = bind(row, cache)
        const [ours, others] = [await readAll(row, bound, OURS), await readAll(row, bound, OTHERS)]
        expect([await readAll(row, bound, OURS), await readAll(row, bound, OTHERS)]).to.deep.equal([ours, others])
        const common = Object.values(row.entities).filter(({ by }) => by.length === 0).length
        expect(loads()).to.equal(2 * Object.keys(row.entities).length - common)
      })

      for (const [event, reached] of Object.entries(row.events)) {
        it(`lets ${event} reach ${reached.join(', ')} and nothing else`, async () => {
          const { bound, settled } = bind(row, cache)
          const before = { ours: await readAll(row, bound, OURS), others: await readAll(row, bound, OTHERS) }
          await bound[`on${event.charAt(0).toUpperCase()}${event.slice(1)}`]?.(OURS)
          await settled()
          const ours = changed(before.ours, await readAll(row, bound, OURS))
          const others = changed(before.others, await readAll(row, bound, OTHERS))
          expect(ours).to.have.members(reached)
          const common = reached.filter((entity) => row.entities[entity]?.by.length === 0)
          expect(others).to.have.members([...common, ...(row.everybodys?.[event] ?? [])])
        })
      }

      it('is forgotten as a whole, and nothing else is', async () => {
        const { bound } = bind(row, cache)
        await cache.set('other', 1)
        const before = { ours: await readAll(row, bound, OURS), others: await readAll(row, bound, OTHERS) }
        await bound['forgetAll']?.({})
        const all = Object.keys(row.entities)
        expect(changed(before.ours, await readAll(row, bound, OURS))).to.have.members(all)
        expect(changed(before.others, await readAll(row, bound, OTHERS))).to.have.members(all)
        expect(await cache.get('other')).to.equal(1)
      })
    })
  }
}

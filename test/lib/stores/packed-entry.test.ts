import { expect } from 'chai'
import fc from 'fast-check'
import type { Entry } from '../../../lib/entry.ts'
import { type ResponseParts, storedResponse } from '../../../lib/http/stored-response.ts'
import { FORMS, isTextForm, type Mark, marked } from '../../../lib/stored-value.ts'
import {
  draftOf,
  hasKey,
  readEntry,
  readFence,
  readKey,
  readTemplateId,
  writeDraft,
} from '../../../lib/stores/packed-entry.ts'
import { Slabs } from '../../../lib/stores/slabs.ts'
import { Templates } from '../../../lib/stores/templates.ts'

const SEED = 20_261_121

/** Any text, that of fields (Latin-1) and what no field may have. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.nat(0xff).map((code) => String.fromCharCode(code)) }),
)
const bytes = fc.uint8Array({ maxLength: 3_000 }).map((array) => Buffer.from(array))
const instant = fc.double({ noNaN: true, noDefaultInfinity: true })
const span = fc.nat(1e9)

const name = fc.constantFrom(
  'Content-Type',
  'content-type',
  'ETag',
  'Date',
  'Last-Modified',
  'Content-Length',
  'Cache-Status',
  'X-A',
)
const value = fc.oneof(
  text,
  fc.constantFrom('"a"', 'W/"b"', 'Sat, 21 Nov 2026 00:00:00 GMT', 'Friday, 20-Nov-26 12:00:00 GMT'),
)

const response = fc.record<ResponseParts>({
  status: fc.constantFrom(200, 204, 404),
  reason: fc.option(text, { nil: undefined }),
  fields: fc.array(fc.tuple(name, value), { maxLength: 12 }),
  body: bytes,
  initialAge: instant,
  vary: fc.array(text, { maxLength: 3 }),
  audience: fc.constantFrom('everyone', 'anonymous'),
  withheld: fc.subarray(['x-a', 'etag', 'last-modified']),
  alwaysValidate: fc.boolean(),
  staleWhileRevalidate: span,
  staleIfError: span,
  staleIfDisconnected: fc.boolean(),
  mustRevalidate: fc.boolean(),
  immutable: fc.boolean(),
})

/** Of text or bytes, in the shortest way: what goes without saying is not said. */
const mark = fc.record(
  { form: fc.constantFrom(...FORMS), staleWhileRevalidate: span, staleIfError: span },
  { requiredKeys: [] },
)
const stored = fc.tuple(text, bytes, mark).map(([characters, octets, { form, ...windows }]) => {
  const data = form === undefined || isTextForm(form) ? characters : octets
  const { staleWhileRevalidate, staleIfError } = windows as Mark
  return marked(data, { form, staleWhileRevalidate, staleIfError })
})

const content = fc.oneof(
  fc.record({ kind: fc.constant('response' as const), value: response.map(storedResponse) }),
  fc.record({
    kind: fc.constant('variants' as const),
    value: fc.record({ sets: fc.array(fc.array(text)), variants: fc.array(text) }),
  }),
  fc.record({ kind: fc.constant('value' as const), value: fc.oneof(text, bytes, stored) }),
)

const entry: fc.Arbitrary<Entry> = fc
  .record({
    content,
    key: text,
    // As a rule they are parts of the key.
    parts: fc.array(fc.oneof(text, fc.tuple(fc.nat(20), fc.nat(20))), { minLength: 1, maxLength: 6 }),
    cachedAt: instant,
    staleAt: instant,
    deleteAt: instant,
    incarnation: fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 16, maxLength: 16 }),
    seq: fc.maxSafeNat(),
    fence: fc.maxSafeNat(),
    size: fc.maxSafeNat(),
  })
  .map(({ content: { kind, value }, key, parts, ...rest }) => {
    const names = parts.map((part) => (typeof part === 'string' ? part : key.slice(part[0], part[0] + part[1])))
    return { kind, key, name: names[0] as string, tags: names.slice(1).map((tag) => `u:${tag}`), ...rest, value }
  })

describe('a packed entry', () => {
  it('is unpacked as it was, whatever it is and whatever lies beside it', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 8 }), (entries) => {
        const slabs = new Slabs(1e6)
        const templates = new Templates()
        for (const [slot, packed] of entries.entries()) {
          const draft = draftOf(packed)
          writeDraft(slabs.add(slot, draft.length), draft, templates.use(packed).id)
        }
        for (const [slot, packed] of entries.entries()) {
          const place = slabs.placeOf(slot)
          expect(readEntry(place, packed.key, templates.get(readTemplateId(place)))).to.deep.equal(packed)
          expect(readFence(place)).to.equal(packed.fence)
          expect(readKey(place)).to.equal(packed.key)
          for (const { key } of entries) expect(hasKey(place, key)).to.equal(key === packed.key)
        }
      }),
      { seed: SEED, numRuns: 300 },
    )
  })

  it('shares what it has in common with others for as long as one of them is there', () => {
    const of = (body: string): Entry => ({
      kind: 'value',
      key: 'k',
      name: 'k',
      cachedAt: 0,
      staleAt: 0,
      deleteAt: 0,
      tags: [],
      incarnation: '0'.repeat(16),
      seq: 0,
      fence: 0,
      size: 0,
      value: body,
    })
    const templates = new Templates()
    const one = templates.use(of('a'))
    expect(templates.use(of('b'))).to.equal(one)
    templates.release(one.id)
    expect(templates.get(one.id)).to.equal(one)
    expect(templates.bytes).to.equal(one.bytes)
    templates.release(one.id)
    expect(templates.bytes).to.equal(0)
  })
})

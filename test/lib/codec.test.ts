import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { crc32, gunzipSync, gzipSync } from 'node:zlib'
import { expect } from 'chai'
import fc from 'fast-check'
import { decodeEntry, encodeEntry } from '../../lib/codec.ts'
import type { Entry } from '../../lib/entry.ts'
import { codedSize } from '../../lib/http/content-coding.ts'
import { type ResponseParts, type StoredResponse, storedResponse, withCodings } from '../../lib/http/stored-response.ts'
import type { Mark } from '../../lib/stored-value.ts'
import { Heads } from '../../lib/stores/redis-heads.ts'
import { responseParts } from '../support/entries.ts'

const BASE = {
  key: 'R 1 app G http://a.test/p?q=1',
  name: '/p?q=1',
  cachedAt: 1_700_000_000_000,
  staleAt: 1_700_000_060_000,
  deleteAt: 1_700_000_600_000,
  tags: ['t:post:1', 'u:http://a.test/p?q=1', 'p:/p?q=1'],
  incarnation: '0123456789abcdef',
  seq: 7,
  fence: 3,
  size: 640,
} as const

const PARTS = responseParts({
  fields: [
    ['Content-Type', 'text/html; charset=utf-8'],
    ['Link', '</a>; rel=preload'],
    ['Link', '</b>; rel=preload'],
    ['ETag', '"abc"'],
    ['Date', 'Tue, 14 Nov 2023 22:13:20 GMT'],
  ],
  body: Buffer.from('<p>hello</p>'),
  vary: ['accept-language'],
  staleWhileRevalidate: 30_000,
})

const PLAIN = { compressAbove: false } as const

function response(parts: Partial<ResponseParts> = {}): Entry {
  return { kind: 'response', ...BASE, value: storedResponse({ ...PARTS, ...parts }) }
}

const GOLDEN: Readonly<Record<string, Entry>> = {
  response: response({ reason: 'Fine', staleIfDisconnected: true, immutable: true }),
  variants: { kind: 'variants', ...BASE, value: { sets: [['accept-language'], []], variants: ['a', 'b'] } },
  text: { kind: 'value', ...BASE, value: '{"title":"caf\u00e9","list":[1,null,true]}' },
  bytes: { kind: 'value', ...BASE, value: Buffer.from([0, 255, 1, 254]) },
  'marked-bytes': {
    kind: 'value',
    ...BASE,
    value: { data: Buffer.from([0, 255, 1, 254]), mark: { form: 'Int16Array', staleIfError: 5_000 } },
  },
  'marked-text': {
    kind: 'value',
    ...BASE,
    value: { data: '[[1,2],3]', mark: { form: 'serializer', staleWhileRevalidate: 0 } },
  },
}

describe('codec', () => {
  for (const [name, entry] of Object.entries(GOLDEN)) {
    it(`brings an entry back as it was (${name})`, async () => {
      const frame = await encodeEntry(entry, PLAIN)
      expect(await decodeEntry(frame, BASE.key)).to.deep.equal(entry)
    })

    it(`reads the frame that version 1 has written (${name})`, async () => {
      const file = new URL(`golden/frame-v1-${name}.bin`, import.meta.url)
      expect(await decodeEntry(readFileSync(file), BASE.key)).to.deep.equal(entry)
    })
  }

  it('reads the compressed frame that version 1 has written', async () => {
    const file = new URL('golden/frame-v1-deflated.bin', import.meta.url)
    const entry: Entry = { kind: 'value', ...BASE, value: 'again and '.repeat(50) }
    expect(await decodeEntry(readFileSync(file), BASE.key)).to.deep.equal(entry)
  })

  it('answers at once, with a slice of the frame, where the body is not compressed', async () => {
    const frame = await encodeEntry(response(), PLAIN)
    const entry = decodeEntry(frame, BASE.key)
    expect(entry).not.to.be.instanceOf(Promise)
    const body = ((entry as Entry).value as ResponseParts).body
    expect(body.buffer).to.equal(frame.buffer)
  })

  it('has incarnation, seq and fence where the scripts look for them', async () => {
    const frame = await encodeEntry(response(), PLAIN)
    expect(frame.toString('latin1', 20, 36)).to.equal(BASE.incarnation)
    expect([frame.readBigUInt64BE(36), frame.readBigUInt64BE(44)]).to.deep.equal([7n, 3n])
  })

  it('knows another key, another version and another magic from its own', async () => {
    const frame = await encodeEntry(response(), PLAIN)
    expect(await decodeEntry(frame, 'R 1 app G http://a.test/other')).to.equal(undefined)
    expect(await decodeEntry(changed(frame, 2, 2), BASE.key)).to.equal(undefined)
    expect(await decodeEntry(changed(frame, 0, 0x58), BASE.key)).to.equal(undefined)
  })

  it('accepts any key where none is expected', async () => {
    const frame = await encodeEntry(response(), PLAIN)
    expect((await decodeEntry(frame, undefined))?.key).to.equal(BASE.key)
  })

  it('writes nothing more of a value that is JSON or a Buffer than version 1 did', async () => {
    for (const name of ['text', 'bytes']) {
      const file = new URL(`golden/frame-v1-${name}.bin`, import.meta.url)
      const frame = await encodeEntry(GOLDEN[name] as Entry, PLAIN)
      expect(frame.equals(readFileSync(file))).to.equal(true)
    }
  })

  for (const [what, mark] of [
    ['a form of a later release', { form: 'Float16Array' }],
    ['the form of text for bytes', { form: 'json' }],
    ['a name of every object for a form', { form: 'constructor' }],
    ['a window that is no number of ms', { staleIfError: -1 }],
    ['a mark that is none', 'Int8Array'],
  ] as const) {
    it(`takes a frame with ${what} for none of ours`, async () => {
      const value = { data: Buffer.from('ab'), mark: mark as Mark }
      expect(await decodeEntry(await encodeEntry({ kind: 'value', ...BASE, value }, PLAIN), BASE.key)).to.equal(
        undefined,
      )
    })
  }

  it('refuses a value that is neither text nor bytes', () => {
    expect(() => encodeEntry({ kind: 'value', ...BASE, value: { n: 1 } }, PLAIN)).to.throw(TypeError, 'object')
  })

  context('when bodies are compressed', () => {
    const text = Buffer.from('all work and no play '.repeat(500))

    it('makes the frame smaller and brings the same body back', async () => {
      const entry = response({ body: text })
      const frame = await encodeEntry(entry, { compressAbove: 1024 })
      expect(frame.length).to.be.below(text.length / 2)
      const decoded = (await decodeEntry(frame, BASE.key)) as Entry<StoredResponse>
      const { coded } = decoded.value
      expect({ ...decoded, size: BASE.size, value: { ...decoded.value, coded: [] } }).to.deep.equal(entry)
      // Beside it the same as gzip: header and trailer are 18 bytes.
      expect(coded.map(({ coding, body }) => [coding, gunzipSync(body ?? '').equals(text)])).to.deep.equal([
        ['gzip', true],
      ])
      expect(decoded.size).to.equal(BASE.size + (coded[0]?.body?.length ?? 0) - 18)
    })

    it('writes nothing of the codings that its process has', async () => {
      const entry = response({ body: text })
      const coded = [{ coding: 'br', body: Buffer.alloc(100) }] as const
      const rich = {
        ...entry,
        size: entry.size + codedSize(coded[0]),
        value: withCodings(entry.value as StoredResponse, coded),
      }
      const [plainFrame, richFrame] = [await encodeEntry(entry, PLAIN), await encodeEntry(rich, PLAIN)]
      expect(richFrame.equals(plainFrame)).to.equal(true)
    })

    it('gives no gzip of what may not be coded', async () => {
      for (const parts of [{ vary: ['accept-encoding'] }, { status: 404 }]) {
        const entry = response({ body: text, ...parts })
        expect(await decodeEntry(await encodeEntry(entry, { compressAbove: 1024 }), BASE.key)).to.deep.equal(entry)
      }
    })

    it('leaves small bodies, coded bodies and images as they are', async () => {
      const length = async (parts: Partial<ResponseParts>): Promise<number> =>
        (await encodeEntry(response(parts), { compressAbove: 1024 })).length
      expect(await length({ body: text.subarray(0, 1024) })).to.be.above(1024)
      expect(await length({ body: text, fields: [['Content-Encoding', 'br']] })).to.be.above(text.length)
      expect(await length({ body: text, fields: [['content-type', 'image/png']] })).to.be.above(text.length)
      expect(await length({ body: text, fields: [['content-type', 'image/svg+xml']] })).to.be.below(text.length)
    })

    it('keeps a body plain that does not get smaller', async () => {
      const body = randomBytes(4096)
      const frame = await encodeEntry(response({ body }), { compressAbove: 1024 })
      expect(frame.includes(body)).to.equal(true)
    })

    it('does not inflate beyond the length that the frame states', async () => {
      const honest = await encodeEntry(response({ body: text }), { compressAbove: 1024 })
      const lying = forge(honest, (frame) => frame.writeUInt32BE(100, 12))
      expect(await decodeEntry(lying, BASE.key)).to.equal(undefined)
    })

    it('treats a body that does not inflate as no entry', async () => {
      const plain = await encodeEntry(response({ body: gzipSync('x') }), PLAIN)
      const lying = forge(plain, (frame) => frame.writeUInt8(1, 3))
      expect(await decodeEntry(lying, BASE.key)).to.equal(undefined)
    })
  })

  context('when somebody has planted a frame with a right checksum', () => {
    const planted: Readonly<Record<string, (meta: Meta) => void>> = {
      'a line break in a value': (meta) => meta.response.fields.push(['x', 'a\r\nSet-Cookie: s=1']),
      'a field name that is no token': (meta) => meta.response.fields.push(['x y', 'a']),
      'a field that frames the message': (meta) => meta.response.fields.push(['Transfer-Encoding', 'chunked']),
      'a field of three': (meta) => meta.response.fields.push(['x', 'a', 'b']),
      'a line break in the reason': (meta) => Object.assign(meta.response, { reason: 'a\r\nb' }),
      'a status out of range': (meta) => Object.assign(meta.response, { status: 99 }),
      'a status that is text': (meta) => Object.assign(meta.response, { status: '200' }),
      'a flag that is no boolean': (meta) => Object.assign(meta.response, { mustRevalidate: 0 }),
      'no word about an absent handler': (meta) => Object.assign(meta.response, { staleIfDisconnected: undefined }),
      'no word about reloads': (meta) => Object.assign(meta.response, { immutable: undefined }),
      'an unknown audience': (meta) => Object.assign(meta.response, { audience: 'all' }),
      'tags that are no list': (meta) => Object.assign(meta, { tags: 't:a' }),
      'an instant that is no number': (meta) => Object.assign(meta, { staleAt: null }),
      'an unknown kind': (meta) => Object.assign(meta, { kind: 'script' }),
      'no response at all': (meta) => Object.assign(meta, { response: null }),
    }
    for (const [what, change] of Object.entries(planted)) {
      it(`finds ${what}`, async () => {
        const frame = await encodeEntry(response(), PLAIN)
        expect(await decodeEntry(replant(frame, change), BASE.key)).to.equal(undefined)
      })
    }

    it('takes no member that it does not know', async () => {
      const frame = await encodeEntry(response(), PLAIN)
      const entry = await decodeEntry(
        replant(frame, (meta) => Object.assign(meta, { extra: 1, seq: 99 })),
        BASE.key,
      )
      expect(entry).to.deep.equal(response())
    })
  })

  it('finds every truncation and every flipped bit', async function () {
    this.timeout(30_000)
    for (const entry of [response({ body: Buffer.from('short') }), GOLDEN.text as Entry]) {
      const frame = await encodeEntry(entry, PLAIN)
      for (let length = 0; length < frame.length; length++) {
        expect(await decodeEntry(frame.subarray(0, length), BASE.key), `first ${length}`).to.equal(undefined)
      }
      expect(await decodeEntry(Buffer.concat([frame, Buffer.alloc(1)]), BASE.key)).to.equal(undefined)
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const byte = bit >> 3
        const flipped = changed(frame, byte, frame.readUInt8(byte) ^ (1 << (bit & 7)))
        expect(await decodeEntry(flipped, BASE.key), `bit ${bit}`).to.equal(undefined)
      }
    }
  })

  describe('that remembers the heads of frames', () => {
    const entries = { ...GOLDEN, 'long text': { kind: 'value', ...BASE, value: 'again and '.repeat(500) } as Entry }
    for (const [name, entry] of Object.entries(entries)) {
      it(`brings an entry back as it was, each time (${name})`, async () => {
        const known = new Heads()
        const frame = await encodeEntry(entry, { compressAbove: 1_000 })
        for (let time = 1; time <= 3; time++) {
          expect(await decodeEntry(Buffer.from(frame), BASE.key, known), `time ${time}`).to.deep.equal(entry)
        }
      })
    }

    it('reads a description once for as long as it is the same', async () => {
      const known = new Heads()
      const [first, again, next] = await Promise.all([
        encodeEntry(response(), PLAIN),
        encodeEntry(response(), PLAIN),
        encodeEntry(response({ status: 203 }), PLAIN),
      ])
      await decodeEntry(first, BASE.key, known)
      const head = known.get(BASE.key)
      await decodeEntry(again, BASE.key, known)
      expect(known.get(BASE.key)).to.equal(head)
      expect(await decodeEntry(next, BASE.key, known)).to.deep.equal(response({ status: 203 }))
      expect(known.get(BASE.key)).not.to.equal(head)
    })

    it('gives each answer the body of its own frame', async () => {
      const known = new Heads()
      const bodies = ['one', 'two'].map((text) => Buffer.from(text))
      const found: (Entry | undefined)[] = []
      for (const body of bodies)
        found.push(await decodeEntry(await encodeEntry(response({ body }), PLAIN), BASE.key, known))
      expect(found).to.deep.equal(bodies.map((body) => response({ body })))
    })

    it('finds every truncation and every flipped bit, and does not remember them', async function () {
      this.timeout(30_000)
      for (const entry of [response({ body: Buffer.from('short') }), GOLDEN.text as Entry]) {
        const frame = await encodeEntry(entry, PLAIN)
        const known = new Heads()
        await decodeEntry(frame, BASE.key, known)
        const head = known.get(BASE.key)
        for (let length = 0; length < frame.length; length++)
          expect(await decodeEntry(frame.subarray(0, length), BASE.key, known), `first ${length}`).to.equal(undefined)
        expect(await decodeEntry(Buffer.concat([frame, Buffer.alloc(1)]), BASE.key, known)).to.equal(undefined)
        for (let bit = 0; bit < frame.length * 8; bit++) {
          const byte = bit >> 3
          const flipped = changed(frame, byte, frame.readUInt8(byte) ^ (1 << (bit & 7)))
          expect(await decodeEntry(flipped, BASE.key, known), `bit ${bit}`).to.equal(undefined)
        }
        expect(known.get(BASE.key)).to.equal(head)
      }
    })

    it('keeps a field that many entries have once', async () => {
      const known = new Heads()
      const lines: unknown[] = []
      for (const key of ['a', 'b']) {
        const entry = await decodeEntry(await encodeEntry({ ...response(), key }, PLAIN), key, known)
        lines.push((entry as Entry<ResponseParts>).value.fields[0])
      }
      expect(lines[0]).to.equal(lines[1])
    })

    it('knows the frame of another key in its place', async () => {
      const known = new Heads()
      await decodeEntry(await encodeEntry(response(), PLAIN), BASE.key, known)
      const other = await encodeEntry({ ...response(), key: `${BASE.key}2` }, PLAIN)
      expect(await decodeEntry(other, BASE.key, known)).to.equal(undefined)
    })
  })

  it('never throws on 50,000 buffers of noise', async function () {
    this.timeout(30_000)
    const frame = await encodeEntry(response(), PLAIN)
    for (let index = 0; index < 50_000; index++) {
      const noise = randomBytes(index % 200)
      if (index % 2 === 0) frame.copy(noise, 0, 0, Math.min(4, noise.length))
      expect(await decodeEntry(noise, BASE.key)).to.equal(undefined)
    }
  })

  it('brings back whatever it was given', async () => {
    const entries = fc.record({
      key: fc.string({ unit: 'binary', minLength: 1 }).map((key) => key.toWellFormed()),
      tags: fc.array(fc.string({ unit: 'grapheme' })),
      seq: fc.maxSafeNat(),
      fence: fc.maxSafeNat(),
      value: fc.string({ unit: 'grapheme' }),
      compressAbove: fc.constantFrom(false as const, 0, 64),
    })
    await fc.assert(
      fc.asyncProperty(entries, async ({ key, tags, seq, fence, value, compressAbove }) => {
        const entry: Entry = { kind: 'value', ...BASE, key, tags, seq, fence, value: value.toWellFormed() }
        expect(await decodeEntry(await encodeEntry(entry, { compressAbove }), key)).to.deep.equal(entry)
      }),
    )
  })

  it('brings back whatever response it was given', async () => {
    const field = fc.tuple(
      fc.stringMatching(/^X-[A-Za-z0-9-]{1,20}$/),
      fc.stringMatching(/^[\x21-\x7e\xa1-\xff]{0,40}$/),
    )
    const parts = fc.record({
      status: fc.integer({ min: 200, max: 599 }),
      fields: fc.array(field),
      body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      alwaysValidate: fc.boolean(),
      staleIfDisconnected: fc.boolean(),
      mustRevalidate: fc.boolean(),
      immutable: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(parts, async (some) => {
        const entry = response(some)
        expect(await decodeEntry(await encodeEntry(entry, { compressAbove: 50 }), BASE.key)).to.deep.equal(entry)
      }),
    )
  })
})

interface Meta {
  readonly response: { readonly fields: string[][] }
}

function changed(frame: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(frame)
  copy.writeUInt8(byte, at)
  return copy
}

function forge(frame: Buffer, change: (frame: Buffer) => void): Buffer {
  const copy = Buffer.from(frame)
  change(copy)
  return resealed(copy)
}

function replant(frame: Buffer, change: (meta: Meta) => void): Buffer {
  const end = 52 + frame.readUInt32BE(4)
  const meta = JSON.parse(frame.toString('utf8', 52, end)) as Meta
  change(meta)
  const text = Buffer.from(JSON.stringify(meta))
  const planted = Buffer.concat([frame.subarray(0, 52), text, frame.subarray(end)])
  planted.writeUInt32BE(text.length, 4)
  return resealed(planted)
}

function resealed(frame: Buffer): Buffer {
  frame.writeUInt32BE(crc32(frame.subarray(20), crc32(frame.subarray(0, 16))), 16)
  return frame
}

import type { Entry } from '../entry.ts'
import {
  draftOf,
  hasKey,
  readCopiedBytes,
  readEntry,
  readFence,
  readKey,
  readTemplateId,
  writeDraft,
} from './packed-entry.ts'
import { Recency } from './recency.ts'
import { recordBytes, Slabs } from './slabs.ts'
import { SlotsByKey } from './slots-by-key.ts'
import { Templates } from './templates.ts'
import { type Unpacked, UnpackedEntries } from './unpacked-entries.ts'

/** What an entry counts for beside its record (bytes): four numbers of its slot, in arrays half of which may be empty. */
const SLOT_BYTES = 32
/** What an entry that is kept ready counts for beside its text and body (bytes), as measured on the heap. */
const UNPACKED_BYTES = 3_000
/** Which part of the bytes may be entries that are kept ready. */
const UNPACKED_SHARE = 1 / 8
/** Which part of the records may be dead before the living ones are moved together. */
const DEAD_SHARE = 1 / 5

/**
 * Entries by key, least recently used out first, bounded by bytes: those of the process, not those of the bodies alone. They are
 * packed in slabs outside the JavaScript heap; those that are asked for most are kept ready beside.
 */
export class PackedEntries {
  readonly #maxBytes: number
  readonly #slots = new SlotsByKey({ isKeyOf: (slot, key) => hasKey(this.#slabs.placeOf(slot), key) })
  readonly #recency = new Recency()
  readonly #slabs: Slabs
  readonly #templates = new Templates()
  readonly #unpacked: UnpackedEntries
  #evicted = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#slabs = new Slabs(maxBytes)
    this.#unpacked = new UnpackedEntries(maxBytes * UNPACKED_SHARE)
  }

  get size(): number {
    return this.#slots.size
  }

  get bytes(): number {
    const byEntries = this.#slabs.bytes + this.#slots.bytes + SLOT_BYTES * this.size
    return byEntries + this.#unpacked.bytes + this.#templates.bytes
  }

  /** How many entries have given way to others. */
  get evicted(): number {
    return this.#evicted
  }

  has(key: string): boolean {
    return this.#slots.get(key) !== undefined
  }

  /** The entry of this key, which thereby becomes the most recently used. */
  get(key: string): Unpacked | undefined {
    const ready = this.#unpacked.get(key)
    if (ready !== undefined) {
      ready.isUsed = true
      this.#recency.touch(ready.slot)
      return ready
    }
    const slot = this.#slots.get(key)
    if (slot === undefined) return undefined
    this.#recency.touch(slot)
    const unpacked = this.#unpack(slot, key)
    if (this.#unpacked.add(unpacked)) this.#makeRoom()
    return unpacked
  }

  /** The same without taking it for use. */
  peek(key: string): Unpacked | undefined {
    const ready = this.#unpacked.get(key)
    if (ready !== undefined) return ready
    const slot = this.#slots.get(key)
    return slot === undefined ? undefined : this.#unpack(slot, key)
  }

  /** The fence of the entry of this key. */
  fenceOf(key: string): number | undefined {
    const slot = this.#slots.get(key)
    return slot === undefined ? undefined : readFence(this.#slabs.placeOf(slot))
  }

  /**
   * Keep an entry; false where it is larger than all may be together.
   * @throws {TypeError} when the value of a service entry is neither text nor bytes.
   */
  set(entry: Entry): boolean {
    const draft = draftOf(entry)
    // Before the old one lets go of its own: they are the same as a rule.
    const template = this.#templates.use(entry)
    const alone = recordBytes(draft.length) + SLOT_BYTES + template.bytes
    if (alone > this.#maxBytes) {
      this.#templates.release(template.id)
      return false
    }
    writeDraft(this.#slabs.add(this.#slotFor(entry.key), draft.length), draft, template.id)
    this.#makeRoom()
    return true
  }

  delete(key: string): void {
    const slot = this.#slots.get(key)
    if (slot !== undefined) this.#remove(slot, key)
  }

  /** The keys, that of the most recently used entry first. Nothing may change meanwhile. */
  *keys(): Generator<string> {
    for (const slot of this.#recency) yield this.#keyOf(slot)
  }

  #keyOf(slot: number): string {
    return readKey(this.#slabs.placeOf(slot))
  }

  #unpack(slot: number, key: string): Unpacked {
    const place = this.#slabs.placeOf(slot)
    const entry = readEntry(place, key, this.#templates.get(readTemplateId(place)))
    const bytes = UNPACKED_BYTES + readCopiedBytes(place)
    return { entry, stamp: undefined, slot, bytes, isUsed: false, position: 0 }
  }

  /** A slot without a record: that of the entry to be replaced, or a new one. */
  #slotFor(key: string): number {
    const present = this.#slots.get(key)
    if (present !== undefined) {
      this.#removeRecord(present, key, false)
      this.#recency.touch(present)
      return present
    }
    const slot = this.#recency.add()
    this.#slots.add(key, slot)
    return slot
  }

  #remove(slot: number, key: string, isEvicted: boolean = false): void {
    this.#slots.remove(key, slot)
    this.#removeRecord(slot, key, isEvicted)
    this.#recency.remove(slot)
  }

  #removeRecord(slot: number, key: string, isEvicted: boolean): void {
    this.#unpacked.remove(key)
    this.#templates.release(readTemplateId(this.#slabs.placeOf(slot)))
    this.#slabs.remove(slot, isEvicted)
  }

  #makeRoom(): void {
    while (this.bytes > this.#maxBytes) {
      if (this.#slabs.deadBytes > this.#slabs.bytes * DEAD_SHARE) {
        const before = this.#slabs.bytes
        this.#slabs.compact()
        if (this.#slabs.bytes < before) continue
      }
      const { oldest } = this.#recency
      if (oldest === undefined) return
      this.#remove(oldest, this.#keyOf(oldest), true)
      this.#evicted++
    }
  }
}

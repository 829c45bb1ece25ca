import type { ServerResponse } from 'node:http'

/** A member of ours at the end of a list field on a response that the handler gives; it can be taken back while the head is not out. */
export class AddedMember {
  readonly #res: ServerResponse
  readonly #name: string
  /** What was written, and what stood there before. */
  #told: { readonly field: string; readonly before: number | string | string[] | undefined } | undefined

  constructor(res: ServerResponse, name: string) {
    this.#res = res
    this.#name = name
  }

  tell(member: string): void {
    const before = this.#res.getHeader(this.#name)
    const others = before === undefined ? [] : [before].flat().filter((line) => line !== '')
    const field = [...others, member].join(', ')
    this.#res.setHeader(this.#name, field)
    this.#told = { field, before }
  }

  /** Take back what was told in a head that was not written. */
  untell(): void {
    const [res, name, told] = [this.#res, this.#name, this.#told]
    this.#told = undefined
    if (told === undefined || String(res.getHeader(name)) !== told.field) return
    if (told.before === undefined) res.removeHeader(name)
    else res.setHeader(name, told.before)
  }
}

import type { ServerResponse } from 'node:http'

type Value = number | string | string[] | undefined

/** Our word in `Vary` on a response that the handler gives: hits of it will be coded as clients like it. */
export class VaryField {
  readonly #res: ServerResponse
  /** What was written, and what stood there before. */
  #told: { readonly field: string; readonly before: Value } | undefined

  constructor(res: ServerResponse) {
    this.#res = res
  }

  tell(): void {
    const before = this.#res.getHeader('Vary')
    const names = before === undefined ? [] : [before].flat().filter((line) => line !== '')
    const field = [...names, 'Accept-Encoding'].join(', ')
    this.#res.setHeader('Vary', field)
    this.#told = { field, before }
  }

  /** Take back what was told in a head that was not written. */
  untell(): void {
    const [res, told] = [this.#res, this.#told]
    this.#told = undefined
    if (told === undefined || String(res.getHeader('Vary')) !== told.field) return
    if (told.before === undefined) res.removeHeader('Vary')
    else res.setHeader('Vary', told.before)
  }
}

/** What the tests use of a package without types. */
declare module 'http-cache-semantics' {
  interface Request {
    readonly method: string
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
  }

  interface Response {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
  }

  export default class CachePolicy {
    constructor(
      request: Request,
      response: Response,
      options: { readonly shared: boolean; readonly immutableMinTimeToLive: number },
    )
    storable(): boolean
    /** Seconds from when the response was generated. */
    maxAge(): number
  }
}

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

  /** What it would do with a request: `response` is what is served at once, `revalidation` what is sent to the origin. */
  interface Evaluation {
    readonly response?: object
    readonly revalidation?: { readonly synchronous: boolean }
  }

  export default class CachePolicy {
    constructor(
      request: Request,
      response: Response,
      options: { readonly shared: boolean; readonly immutableMinTimeToLive: number },
    )
    /** Epoch ms; to be overridden where time is not the wall clock's. */
    now(): number
    storable(): boolean
    /** Seconds from when the response was generated. */
    maxAge(): number
    /** Seconds since the response was generated. */
    age(): number
    evaluateRequest(request: Request): Evaluation
  }
}

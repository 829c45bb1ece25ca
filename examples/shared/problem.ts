import type { NextFunction, Request, Response } from 'express'

/** A request that cannot be answered, with the status and the words to say so. */
export class RequestProblem extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** What was found, or a 404 that names what was not. */
export function found<T>(thing: T | undefined, what: string): T {
  if (thing === undefined) throw new RequestProblem(404, `No such ${what}.`)
  return thing
}

export function routeNotFound(req: Request, res: Response): void {
  res.status(404).json({ error: `No route for ${req.method} ${req.path}.` })
}

/** Answers errors as JSON: the message where the client is at fault, none of ours where the server is. */
export function problemResponder(error: unknown, _req: Request, res: Response, next: NextFunction): void {
  if (res.headersSent) {
    next(error)
    return
  }
  const status = statusOf(error)
  if (status < 500) {
    res.status(status).json({ error: (error as Error).message })
    return
  }
  console.error(error)
  res.status(500).json({ error: 'Internal error.' })
}

/** Our own problems and those of the body parser carry a status. */
function statusOf(error: unknown): number {
  const status = error instanceof Error ? (error as { status?: unknown }).status : undefined
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500
}

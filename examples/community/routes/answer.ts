import type { Request, RequestHandler, Response } from 'express'
import type { Change, CommunityDatabase } from '../database/database.ts'

/**
 * A GET handler. Its body says `asOf`: the number of the last write it contains. The reads run without interruption, so that
 * the number and the rows belong to one state of the database.
 */
export function read(options: {
  readonly database: CommunityDatabase
  /** Under which name the queries are counted. */
  readonly route: string
  readonly answer: (req: Request, res: Response) => object
}): RequestHandler {
  const { database, route, answer } = options
  return (req, res) => {
    // The same route mounted without the cache has an account of its own.
    const body = database.measure(`${route}${req.baseUrl === '' ? '' : ` under ${req.baseUrl}`}`, () =>
      answer(req, res),
    )
    res.json({ asOf: database.writeSeq, ...body })
  }
}

/**
 * A handler of writes. Its body says `writeSeq` and what was touched; the invalidation in front of it reads the same names
 * from `res.locals.touched`.
 */
export function write<T extends Change>(perform: (req: Request, res: Response) => T): RequestHandler {
  return (req, res) => {
    const result = perform(req, res)
    res.locals.touched = result.touched
    res.json(result)
  }
}

/** What the write answered by `res` touched; nothing before it is done. */
export function touchedBy(res: Response): string[] {
  const touched: unknown = res.locals.touched
  return Array.isArray(touched) ? (touched as string[]) : []
}

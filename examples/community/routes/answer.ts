import type { Request, RequestHandler, Response } from 'express'
import { found } from '../../shared/problem.ts'
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

/** A GET handler whose body is one value of the service, which says `asOf` itself. */
export function readValue(what: string, value: (req: Request) => Promise<object | undefined>): RequestHandler {
  return async (req, res) => {
    res.json(found(await value(req), what))
  }
}

/** A handler of writes. Its body says `writeSeq` and what was touched, for those who check what they read afterwards. */
export function write<T extends Change>(perform: (req: Request, res: Response) => T | Promise<T>): RequestHandler {
  return async (req, res) => {
    res.json(await perform(req, res))
  }
}

/** Say which events a write was, by their tags: what they make wrong is gone before the answer leaves. */
export function happened(res: Response, ...events: readonly (readonly string[])[]): void {
  res.locals.tags = events.flat()
}

/** The tags of what has happened; none before it has. */
export function tagsOf(res: Response): readonly string[] {
  const tags: unknown = res.locals.tags
  return Array.isArray(tags) ? (tags as readonly string[]) : []
}

import express, { type Express, type Request, type Response } from 'express'
import { adminRouter, type Cache } from '../../middleware/index.ts'
import { type BuildEntities, build } from '../../strategies/index.ts'
import { isConfirmed } from '../shared/confirmed.ts'
import { choiceField, choiceParameter, idField, idParameter, pageParameter, textField } from '../shared/parameters.ts'
import { found, problemResponder, routeNotFound } from '../shared/problem.ts'
import { type Build, type BuildRepository, CLASSES } from './database/builds.ts'

export interface BuildsAppOptions {
  readonly builds: BuildRepository
  readonly cache: Cache
}

type EntityName = keyof BuildEntities

const MAX_TITLE = 100
const MAX_GUIDE = 10_000

/** Builds to share: lists, details and classes stale-while-revalidate. Each answer says where its value came from. */
export function createBuildsApp({ builds, cache }: BuildsAppOptions): Express {
  const { onBuildCreated, onBuildUpdated, onBuildDeleted, onLiked } = build({ cache })
  /** A GET handler whose answer is kept as the domain has it, and made from what `argsOf` finds in the request. */
  const read = <A>(name: EntityName, argsOf: (req: Request) => A, load: (args: A) => object | undefined) => {
    const { ttl, staleWhileRevalidate, tags } = build[name]
    const lifetimes = staleWhileRevalidate === undefined ? { ttl } : { ttl, staleWhileRevalidate }
    return async (req: Request, res: Response): Promise<void> => {
      const args = argsOf(req)
      const key = `${name}:${JSON.stringify(args)}`
      const options = { ...lifetimes, tags: tags(req), source: true } as const
      const { value, source } = await cache.remember(key, options, () => load(args))
      res.json({ source, ...found(value, 'build') })
    }
  }
  const buildOf = (req: Request): Build => found(builds.find(idParameter(req, 'buildId')), 'build')

  const app = express()
  app.disable('x-powered-by')
  app.use('/cache', adminRouter({ cache }))
  app.use(express.json({ limit: '16kb' }))

  const pageOf = (req: Request) => ({
    class: choiceParameter(req, 'class', CLASSES),
    page: pageParameter(req),
  })
  const idOf = (req: Request) => idParameter(req, 'buildId')
  const userOf = (req: Request) => idParameter(req, 'userId')
  app.get(
    '/builds',
    read('listings', pageOf, (page) => ({ builds: builds.list(page) })),
  )
  app.get(
    '/builds/:buildId',
    read('details', idOf, (id) => wrapped(builds.find(id))),
  )
  app.get(
    '/classes',
    read(
      'classes',
      () => 'all',
      () => ({ classes: builds.classes() }),
    ),
  )
  app.get(
    '/users/:userId/builds',
    read('userBuilds', userOf, (user) => ({ builds: builds.writtenBy(user) })),
  )
  app.get(
    '/users/:userId/liked',
    read('likedBuilds', userOf, (user) => ({ builds: builds.likedBy(user) })),
  )

  app.post('/builds', async (req, res) => {
    const fields = { ...guideOf(req), class: choiceField(req, 'class', CLASSES), authorId: idField(req, 'authorId') }
    const id = builds.create(fields)
    const confirmed = await isConfirmed(onBuildCreated({ buildId: id, userId: fields.authorId }))
    res.status(201).json({ id, confirmed })
  })
  app.patch('/builds/:buildId', async (req, res) => {
    const { id, authorId } = buildOf(req)
    builds.update(id, guideOf(req))
    res.json({ confirmed: await isConfirmed(onBuildUpdated({ buildId: id, userId: authorId })) })
  })
  app.delete('/builds/:buildId', async (req, res) => {
    const { id, authorId } = buildOf(req)
    builds.remove(id)
    res.json({ confirmed: await isConfirmed(onBuildDeleted({ buildId: id, userId: authorId })) })
  })
  app.post('/builds/:buildId/likes', async (req, res) => {
    const { id } = buildOf(req)
    const userId = idField(req, 'userId')
    const isNew = builds.like(id, userId)
    res.json({ confirmed: !isNew || (await isConfirmed(onLiked({ buildId: id, userId }))) })
  })

  app.use(routeNotFound)
  app.use(problemResponder)
  return app
}

function wrapped(one: Build | undefined): object | undefined {
  return one && { build: one }
}

function guideOf(req: Request): Pick<Build, 'title' | 'guide'> {
  return { title: textField(req, 'title', MAX_TITLE), guide: textField(req, 'guide', MAX_GUIDE) }
}

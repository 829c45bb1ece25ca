import express, { type Express, type Request } from 'express'
import { adminRouter, type Cache } from '../../middleware/index.ts'
import { build } from '../../strategies/index.ts'
import { isConfirmed } from '../shared/confirmed.ts'
import { choiceField, choiceParameter, idField, idParameter, pageParameter, textField } from '../shared/parameters.ts'
import { found, problemResponder, routeNotFound } from '../shared/problem.ts'
import { type Build, type BuildRepository, CLASSES } from './database/builds.ts'

export interface BuildsAppOptions {
  readonly builds: BuildRepository
  readonly cache: Cache
}

const MAX_TITLE = 100
const MAX_GUIDE = 10_000

/** Builds to share: lists, details and classes stale-while-revalidate. Each answer says where its value came from. */
export function createBuildsApp({ builds, cache }: BuildsAppOptions): Express {
  const site = build({
    cache,
    load: {
      listings: ({ filters, page = 1 }) =>
        builds.list({ class: CLASSES.find((name) => name === filters?.class), page }),
      details: ({ buildId }) => builds.find(Number(buildId)),
      classes: () => builds.classes(),
      userBuilds: ({ userId }) => builds.writtenBy(Number(userId)),
      likedBuilds: ({ userId }) => builds.likedBy(Number(userId)),
    },
  })
  const buildOf = (req: Request): Build => found(builds.find(idParameter(req, 'buildId')), 'build')

  const app = express()
  app.disable('x-powered-by')
  app.use('/cache', adminRouter({ cache }))
  app.use(express.json({ limit: '16kb' }))

  app.get('/builds', async (req, res) => {
    const page = pageParameter(req)
    const name = choiceParameter(req, 'class', CLASSES)
    const asked = name === undefined ? { page } : { page, filters: { class: name } }
    const { value, source } = await site.listings(asked, { source: true })
    res.json({ source, builds: value })
  })
  app.get('/builds/:buildId', async (req, res) => {
    const { value, source } = await site.details({ buildId: idParameter(req, 'buildId') }, { source: true })
    res.json({ source, build: found(value, 'build') })
  })
  app.get('/classes', async (_req, res) => {
    const { value, source } = await site.classes({}, { source: true })
    res.json({ source, classes: value })
  })
  app.get('/users/:userId/builds', async (req, res) => {
    const { value, source } = await site.userBuilds({ userId: idParameter(req, 'userId') }, { source: true })
    res.json({ source, builds: value })
  })
  app.get('/users/:userId/liked', async (req, res) => {
    const { value, source } = await site.likedBuilds({ userId: idParameter(req, 'userId') }, { source: true })
    res.json({ source, builds: value })
  })

  app.post('/builds', async (req, res) => {
    const fields = { ...guideOf(req), class: choiceField(req, 'class', CLASSES), authorId: idField(req, 'authorId') }
    const id = builds.create(fields)
    const confirmed = await isConfirmed(site.onBuildCreated({ buildId: id, userId: fields.authorId }))
    res.status(201).json({ id, confirmed })
  })
  app.patch('/builds/:buildId', async (req, res) => {
    const { id, authorId } = buildOf(req)
    builds.update(id, guideOf(req))
    res.json({ confirmed: await isConfirmed(site.onBuildUpdated({ buildId: id, userId: authorId })) })
  })
  app.delete('/builds/:buildId', async (req, res) => {
    const { id, authorId } = buildOf(req)
    builds.remove(id)
    res.json({ confirmed: await isConfirmed(site.onBuildDeleted({ buildId: id, userId: authorId })) })
  })
  app.post('/builds/:buildId/likes', async (req, res) => {
    const { id } = buildOf(req)
    const userId = idField(req, 'userId')
    const isNew = builds.like(id, userId)
    res.json({ confirmed: !isNew || (await isConfirmed(site.onLiked({ buildId: id, userId }))) })
  })

  app.use(routeNotFound)
  app.use(problemResponder)
  return app
}

function guideOf(req: Request): Pick<Build, 'title' | 'guide'> {
  return { title: textField(req, 'title', MAX_TITLE), guide: textField(req, 'guide', MAX_GUIDE) }
}

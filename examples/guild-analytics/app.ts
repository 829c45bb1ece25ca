import express, { type Express } from 'express'
import { adminRouter, type Cache, cacheMiddleware, cacheRoute } from '../../middleware/index.ts'
import { guildAnalytics } from '../../strategies/index.ts'
import { choiceParameter } from '../shared/parameters.ts'
import { found, problemResponder, routeNotFound } from '../shared/problem.ts'
import type { Turns } from '../shared/turns.ts'
import { guildReports, PERIODS } from './database/reports.ts'

const REPORTS = ['ghosts', 'lurkers', 'heatmap', 'roles', 'clients', 'shifts'] as const

export interface GuildAppOptions {
  readonly database: Turns
  readonly cache: Cache
}

/** `/guilds/:guildId/ghosts?since=7d` and its like: six reports, kept until the bot says what has happened. */
export function createGuildApp({ database, cache }: GuildAppOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use(cacheMiddleware({ cache }))
  app.use('/cache', adminRouter({ cache }))
  const analytics = guildAnalytics({ cache, load: guildReports(database) })
  for (const type of REPORTS) {
    app.get(`/guilds/:guildId/${type}`, cacheRoute({ cache, ...guildAnalytics[type] }), async (req, res) => {
      const since = choiceParameter(req, 'since', PERIODS) ?? '7d'
      res.json(found(await analytics[type]({ guildId: req.params.guildId, since }), 'guild'))
    })
  }
  app.use(routeNotFound)
  app.use(problemResponder)
  return app
}

import type { RequestListener } from 'node:http'
import express, { type Express } from 'express'
import { payload } from '../payload.ts'

/** Express 5 with a listener as its first middleware. */
export function inExpress(listener: RequestListener): Express {
  const app = express()
  app.use((req, res) => listener(req, res))
  return app
}

/** Let an application answer as most do: with `res.json`. */
export function servedUncached(app: Express, size: number): Express {
  const value: unknown = JSON.parse(String(payload(size)))
  app.use((_req, res) => void res.json(value))
  return app
}

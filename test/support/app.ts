import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import connect from 'connect'
import express5 from 'express'
import express4 from 'express-4'
import type { Middleware } from '../../middleware/index.ts'

/** A handler in the smallest form that all four frameworks know. */
export type Handler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => unknown

/** The frameworks that every HTTP promise is tested on. */
export const FRAMEWORKS = ['Express 5', 'Express 4', 'Connect', 'node:http'] as const
export type Framework = (typeof FRAMEWORKS)[number]

/** The frameworks with routers, `res.send` and error handling of their own. */
export const EXPRESSES = ['Express 5', 'Express 4'] as const

/** An empty Express application, typed as the current version. */
export function makeExpress(framework: (typeof EXPRESSES)[number]): express5.Express {
  const app = framework === 'Express 5' ? express5() : (express4() as unknown as express5.Express)
  // Errors that tests cause on purpose need no stack on the terminal.
  app.set('env', 'test')
  return app
}

/** An application of these middlewares, then the handler. */
export function makeListener(
  framework: Framework,
  middlewares: readonly (Middleware | Handler)[],
  handler: Handler,
): RequestListener {
  switch (framework) {
    case 'Express 5':
    case 'Express 4': {
      const app = makeExpress(framework)
      for (const middleware of middlewares) app.use(middleware as never)
      app.use(handler as never)
      return app
    }
    case 'Connect': {
      const app = connect()
      for (const middleware of middlewares) app.use(middleware as never)
      app.use(handler as never)
      return app
    }
    case 'node:http':
      return (req, res) => {
        const run = (index: number, error?: unknown): void => {
          if (error !== undefined && error !== null) {
            if (res.headersSent) {
              res.destroy()
              return
            }
            res.statusCode = 500
            res.end('error')
            return
          }
          const step = middlewares[index] ?? (index === middlewares.length ? handler : undefined)
          if (step === undefined) {
            res.statusCode = 404
            res.end()
            return
          }
          try {
            void step(req, res, (late?: unknown) => run(index + 1, late))
          } catch (thrown) {
            run(middlewares.length + 1, thrown)
          }
        }
        run(0)
      }
  }
}

/** A listening server and its address. */
export interface Running {
  readonly server: Server
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

/** Listen on a free port of 127.0.0.1. */
export async function listen(listener: RequestListener, options: ServerOptions = {}): Promise<Running> {
  const server = createServer(options, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

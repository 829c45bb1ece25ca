import type { IncomingMessage, ServerResponse } from 'node:http'
import { Exchange, type ExchangeOptions, type Why } from './exchange.ts'
import { watch } from './intercept.ts'
import type { Mount, Pass } from './mount.ts'

/** Let the handler answer a request of which nothing is looked up, and tell what came of it. */
export function passExchange(
  mount: Mount,
  req: IncomingMessage,
  res: ServerResponse,
  next: Pass,
  options: Why & Partial<Pick<ExchangeOptions, 'target' | 'credentials' | 'fillAtHead' | 'ruleAtHead'>>,
): void {
  const { settings } = mount
  const none = { target: undefined, credentials: undefined, fill: undefined }
  const exchange = new Exchange({ settings, req, res, ...none, ...options })
  mount.prepare?.(exchange)
  watch(res, exchange)
  next()
}

import type { IncomingMessage } from 'node:http'

/** Who is asking: the user whose id follows `Authorization: Demo`, since the demo has no passwords. Empty for nobody. */
export function callerOf(req: Pick<IncomingMessage, 'headers'>): string {
  return /^Demo ([1-9]\d{0,8})$/.exec(req.headers.authorization ?? '')?.[1] ?? ''
}

import type { Cache } from '../../middleware/index.ts'
import { guildAnalytics } from '../../strategies/index.ts'
import { isConfirmed } from '../shared/confirmed.ts'
import type { Turns } from '../shared/turns.ts'
import type { GatewayEvent } from './gateway.ts'
import { recorder } from './recorder.ts'

/** What the bot did with an event. */
export interface Acknowledgement {
  /** Its number: every report read from now on contains it. */
  readonly recorded: number
  /** False where Redis did not answer in time: it is recorded, and the web processes hear of it as soon as they can. */
  readonly confirmed: boolean
}

/** What each event is called in the domain. */
const EVENTS = {
  message: 'messageCreated',
  typing: 'typing',
  presence: 'presenceUpdated',
  role: 'roleChanged',
} as const satisfies Readonly<Record<GatewayEvent['type'], string>>

export interface BotOptions {
  readonly database: Turns
  /** The cache that the web processes share. */
  readonly cache: Cache
}

/**
 * A worker without HTTP: it writes down what has happened, then says so to the strategy, which makes wrong what the web processes
 * have kept of it.
 */
export function guildBot({ database, cache }: BotOptions): (event: GatewayEvent) => Promise<Acknowledgement> {
  const record = recorder(database)
  const analytics = guildAnalytics({ cache })
  return async (event) => {
    const recorded = record(event)
    const { type, guildId } = event
    return { recorded, confirmed: await isConfirmed(analytics.on(EVENTS[type], { guildId })) }
  }
}

import { startCommunity } from '../../examples/community/start.ts'
import { answerParent } from '../../test/faults/outages/companion.ts'

/** The community example, in a process of its own. */

/** What it has used so far. */
export interface Used {
  /** User and system (us). */
  readonly cpu: number
  readonly queries: number
}

export interface CommunityAnswers {
  /** Open the database of this file; the port. */
  readonly open: number
  readonly used: Used
}

let database: Awaited<ReturnType<typeof startCommunity>>['database']

answerParent({
  open: async (file: string) => {
    const running = await startCommunity({ file, port: 0, host: '127.0.0.1', durable: false })
    database = running.database
    return running.port
  },
  used: (): Used => {
    const { user, system } = process.cpuUsage()
    return { cpu: user + system, queries: database.queries }
  },
})

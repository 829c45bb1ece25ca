import { createInterface } from 'node:readline'

interface OfMember {
  readonly guildId: string
  readonly userId: string
}

/** What a chat service tells a bot. */
export type GatewayEvent = OfMember &
  (
    | { readonly type: 'message' }
    | { readonly type: 'typing' }
    | { readonly type: 'presence'; readonly client: string }
    | { readonly type: 'role'; readonly role: string; readonly isGiven: boolean }
  )

/**
 * The events of a stream, a JSON object per line: it stands in for the connection to a chat service. What is no event comes as
 * an error that says why.
 */
export async function* gatewayEvents(input: NodeJS.ReadableStream): AsyncGenerator<GatewayEvent | Error> {
  for await (const line of createInterface({ input })) {
    if (line.trim() !== '') yield eventOrError(line)
  }
}

function eventOrError(line: string): GatewayEvent | Error {
  try {
    return readEvent(line)
  } catch (error) {
    return error as Error
  }
}

function readEvent(line: string): GatewayEvent {
  const { type, guildId, userId, client, role, isGiven = true } = JSON.parse(line) as Readonly<Record<string, unknown>>
  const member = { guildId: text({ guildId }), userId: text({ userId }) }
  switch (type) {
    case 'message':
    case 'typing':
      return { ...member, type }
    case 'presence':
      return { ...member, type, client: text({ client }) }
    case 'role':
      return { ...member, type, role: text({ role }), isGiven: isGiven !== false }
    default:
      throw new Error(`"type" must be message, typing, presence or role, not ${JSON.stringify(type)}.`)
  }
}

function text(member: Readonly<Record<string, unknown>>): string {
  const [[name, value] = []] = Object.entries(member)
  if (typeof value === 'string' && value !== '') return value
  throw new Error(`"${name}" must be a text that is not empty, not ${JSON.stringify(value)}.`)
}

import { createHash } from 'node:crypto'
import { canonicalJson } from '../canonical-json.ts'
import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

/** What a model is asked, and how. */
interface Asked {
  readonly model: string
  /** A text, or messages. */
  readonly prompt: string | readonly Readonly<Record<string, unknown>>[]
  readonly parameters?: Readonly<Record<string, unknown>>
}

/** The entities of the AI response domain and their arguments. */
export interface AiResponseEntities {
  /** The prompt and the response to it. */
  readonly response: Asked
  /** What a model gives as it is: an embedding, a classification. */
  readonly modelOutput: Asked
}

/** What happens in the AI response domain. */
export interface AiResponseEvents {
  /** The model answers differently from now on. */
  readonly modelChanged: { readonly model: string }
}

const model = (name: Id): string => tagName('model', name)

/** SHA-256 of what is asked. Prompts may be long and private: no key shows one. */
function digest({ model, prompt, parameters = {} }: Asked): readonly [string] {
  const asked = canonicalJson('aiResponse', [model, prompt, parameters])
  return [createHash('sha256').update(asked).digest('hex')]
}

/**
 * Responses of language models, kept by a digest of model, prompt and parameters, whatever the order of their members.
 *
 * Loaders run 60 times a minute at most, in each process: `loadsPerMinute` beside `cache` says otherwise. What a prompt contains may
 * be nobody else's: where the same prompt is not to get the same response for everybody, put the user among the parameters.
 */
export const aiResponse: Strategy<AiResponseEntities, AiResponseEvents> = defineStrategy<
  AiResponseEntities,
  AiResponseEvents
>({
  name: 'aiResponse',
  loadsPerMinute: 60,
  entities: {
    response: { ttl: '24h', key: digest, private: true, tags: (asked) => [model(asked.model)] },
    modelOutput: { ttl: '24h', key: digest, private: true, tags: (asked) => [model(asked.model)] },
  },
  events: { modelChanged: (changed) => [model(changed.model)] },
})

import type { Outcome } from '../../lib/outcome.ts'
import type { RequestShape } from '../support/http-client.ts'
import type { Scene } from '../vectors/scene.ts'

/** What was last told of a request of this scene. @throws Error where nothing was told */
export function lastOutcome({ bench }: Scene): Outcome {
  const last = bench.outcomes.at(-1)
  if (last === undefined) throw new Error('No outcome was told')
  return last.outcome
}

/** What became of an answer. */
export interface Fate {
  /** A second client was served with it. */
  readonly kept: boolean
  /** The row of table A that was told. */
  readonly rule: string | undefined
}

/** Ask like this, then plainly: what became of the first answer? */
export async function fateOf(scene: Scene, shape: RequestShape = {}): Promise<Fate> {
  await scene.ask(shape)
  const { storingRule } = lastOutcome(scene)
  const { verdict } = await scene.get(shape.path)
  return { kept: verdict === 'hit', rule: storingRule }
}

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Behaviour, Step } from './behaviour.ts'
import { ask, type Received } from './client.ts'
import { linesOf } from './fields.ts'
import { type Judgement, judge, type Observation } from './judge.ts'
import type { Origin } from './origin.ts'
import { Script } from './script.ts'

/** Where the cache under test listens, what stands behind it, and which paths are ours. */
export interface Stage {
  readonly origin: Origin
  readonly port: number
  /** The first segment of every path: two runs in front of one cache do not meet. */
  readonly token: string
  /** How many behaviours are played at a time; most of them wait for a clock. Default 40. */
  readonly concurrency?: number
}

/** How long a step that is sent meanwhile waits for the origin to be busy. */
const BUSY_WITHIN_MS = 2_000

/** Play behaviours side by side and judge each. */
export async function playAll(
  behaviours: readonly Behaviour[],
  stage: Stage,
): Promise<ReadonlyMap<Behaviour, Judgement>> {
  const judgements = new Map<Behaviour, Judgement>()
  const waiting = [...behaviours]
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      judgements.set(next, await play(next, stage))
    }
  }
  await Promise.all(Array.from({ length: stage.concurrency ?? 40 }, lane))
  return judgements
}

/** Play the steps of one behaviour, then judge what was seen. */
export async function play(behaviour: Behaviour, { origin, port, token }: Stage): Promise<Judgement> {
  const script = new Script(behaviour, { path: `/${token}/${behaviour.id}`, host: `127.0.0.1:${port}` })
  const observations: Promise<Observation>[] = []
  origin.enter(script)
  try {
    for (const [index, step] of behaviour.steps.entries()) {
      if (step.meanwhile === true) await busy(script, index - 1)
      else await Promise.all(observations)
      if (step.wait !== undefined) await sleep(step.wait * 1_000)
      script.current = index
      observations.push(perform(step, index, script, port))
    }
    return judge(script, await Promise.all(observations))
  } finally {
    origin.leave(script)
  }
}

async function busy(script: Script, step: number): Promise<void> {
  if (script.arrivalsOf(step).length > 0) return
  // A step that is answered from the cache never makes the origin busy; its own expectation says so.
  await once(script, 'arrival', { signal: AbortSignal.timeout(BUSY_WITHIN_MS) }).catch(() => {})
}

async function perform(
  { request = {}, expect }: Step,
  index: number,
  script: Script,
  port: number,
): Promise<Observation> {
  const { method = 'GET', at = '', fields = {}, body = '', leaves = false } = request
  const lines = linesOf({ Host: '{host}', ...fields }, script.place, Date.now())
  const { answer, interim }: Received = await ask(port, {
    method,
    path: `${script.place.path}${at}`,
    lines,
    body,
    leaves,
  })
  // Until now, so that a refresh behind the answer is not taken for its source.
  const asked = script.arrivalsOf(index).length
  return { expectation: expect, method, answer, interim, asked }
}

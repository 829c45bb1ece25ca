import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Behaviour, OriginAnswer } from './behaviour.ts'
import type { Place } from './fields.ts'

/** A request that reached the origin, and what it answered. */
export interface Arrival {
  /** Also the `Answer-Id` of the answer. */
  readonly id: number
  /** Of the step, from 0. */
  readonly step: number
  readonly method: string
  readonly url: string
  /** Lines in order, as they came. */
  readonly lines: readonly (readonly [string, string])[]
  /** What the origin answered, its body included. */
  readonly given: OriginAnswer
  body: string
}

/** Statuses that answer a question of the request's. */
const ON_REQUEST: Readonly<Record<number, RegExp>> = {
  304: /^if-(none-match|modified-since)$/i,
  206: /^range$/i,
  416: /^range$/i,
}

/** One behaviour on stage: which step is being played, and what has reached the origin. Emits `arrival` with the step. */
export class Script extends EventEmitter<{ arrival: [step: number] }> {
  readonly arrivals: Arrival[] = []
  /** The step that an arriving request belongs to, from 0. */
  current = 0
  readonly behaviour: Behaviour
  readonly place: Place

  constructor(behaviour: Behaviour, place: Place) {
    super()
    this.behaviour = behaviour
    this.place = place
  }

  /** Note a request, and say what it is answered with. */
  arrive({ method = '', url = '', rawHeaders }: IncomingMessage): Arrival {
    const id = this.arrivals.length + 1
    const lines = rawHeaders.flatMap((name, index): [string, string][] =>
      index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? '']] : [],
    )
    const scripted = this.#answerFor(lines)
    const given = { ...scripted, body: scripted.body ?? `Answer ${id} of ${this.behaviour.id}.` }
    const arrival: Arrival = { id, step: this.current, method, url, lines, given, body: '' }
    this.arrivals.push(arrival)
    this.emit('arrival', arrival.step)
    return arrival
  }

  /** What reached the origin in a step, from 0. */
  arrivalsOf(step: number): readonly Arrival[] {
    return this.arrivals.filter((arrival) => arrival.step === step)
  }

  #answerFor(lines: Arrival['lines']): OriginAnswer {
    const scripted = this.behaviour.steps.slice(0, this.current + 1).flatMap(({ answer }) => answer ?? [])
    const latest = scripted.at(-1) ?? {}
    if (isAskedFor(latest, lines)) return latest
    return latest.otherwise ?? scripted.findLast((answer) => isAskedFor(answer, [])) ?? {}
  }
}

function isAskedFor({ status = 200, always }: OriginAnswer, lines: Arrival['lines']): boolean {
  const asking = ON_REQUEST[status]
  return always === true || asking === undefined || lines.some(([name]) => asking.test(name))
}

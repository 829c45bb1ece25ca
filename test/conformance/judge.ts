import type { Answer } from '../support/http-client.ts'
import type { Expectation, FieldWanted } from './behaviour.ts'
import type { Arrival, Script } from './script.ts'

/** What the client of a step saw. */
export interface Observation {
  readonly expectation: Expectation | undefined
  readonly method: string
  readonly answer: Answer | undefined
  readonly interim: readonly Answer[]
  /** How many requests had reached the origin in this step when the answer was complete. */
  readonly asked: number
}

/** Whether a behaviour shows itself; if not, at which step (from 1), and what was seen there. */
export type Judgement =
  | { readonly holds: true }
  | { readonly holds: false; readonly step: number; readonly atLast: boolean; readonly seen: string }

/** What is expected of a first step that says nothing: nothing is stored yet. */
const FILLED: Expectation = { from: 'origin' }

/** Compare what was seen with what is expected, step by step; the first difference decides. */
export function judge(script: Script, observations: readonly Observation[]): Judgement {
  for (const [index, observation] of observations.entries()) {
    const expectation = observation.expectation ?? (index === 0 ? FILLED : undefined)
    if (expectation === undefined || Object.keys(expectation).length === 0) continue
    const seen = difference(expectation, { script, index, observations, ...observation })
    if (seen !== undefined) {
      return { holds: false, step: index + 1, atLast: index === observations.length - 1, seen }
    }
  }
  return { holds: true }
}

interface Seen extends Observation {
  readonly script: Script
  readonly index: number
  readonly observations: readonly Observation[]
}

function difference(wanted: Expectation, seen: Seen): string | undefined {
  const { answer } = seen
  if (answer === undefined) return 'no answer'
  return (
    sourceDifference(wanted, answer, seen) ??
    statusDifference(wanted, answer, seen) ??
    bodyDifference(wanted, answer, seen) ??
    fieldsDifference(wanted, answer, seen) ??
    interimDifference(wanted, seen) ??
    originDifference(wanted, seen)
  )
}

/** Which of the origin's answers this one is made of. */
function sourceOf(answer: Answer, { script }: Seen): Arrival | undefined {
  return script.arrivals[Number(answer.header('answer-id') ?? 0) - 1]
}

function sourceDifference({ from, behind }: Expectation, answer: Answer, seen: Seen): string | undefined {
  const { script, index, asked } = seen
  const isNew = sourceOf(answer, seen)?.step === index
  const isAskedToo = asked > 0 && !isNew
  if (from === 'origin' && !isNew) return `${answer.status} from the cache${isAskedToo ? ', the origin was asked' : ''}`
  if (from === 'cache' && isNew) return `${answer.status} from the origin`
  if (from === 'cache' && isAskedToo && behind !== true) return `${answer.status} from the cache, the origin was asked`
  if (from !== 'validated') return undefined
  const [arrival] = script.arrivalsOf(index)
  if (arrival === undefined) return `${answer.status} from the cache, not validated`
  const isConditional = arrival.lines.some(([name]) => /^if-(none-match|modified-since)$/i.test(name))
  return isConditional ? undefined : `${answer.status}, the origin was asked without a condition`
}

function statusDifference({ status, from }: Expectation, answer: Answer, seen: Seen): string | undefined {
  const given = sourceOf(answer, seen)?.given.status ?? 200
  // What a 304 has updated carries its Answer-Id.
  const stored = from === 'cache' && given === 304 ? 200 : given
  const allowed = status ?? (from === 'origin' || from === 'cache' ? stored : undefined)
  if (allowed === undefined || [allowed].flat().includes(answer.status)) return undefined
  return `status ${answer.status}`
}

function bodyDifference(wanted: Expectation, answer: Answer, seen: Seen): string | undefined {
  const { body, bodyIsNot } = wanted
  const text = answer.body.toString('latin1')
  if (bodyIsNot !== undefined && bodiesOf(bodyIsNot, seen).includes(text)) return `the body of step ${bodyIsNot}`
  if (body instanceof RegExp) return body.test(text) ? undefined : `body ${show(text)}`
  if (typeof body === 'number') return bodiesOf(body, seen).includes(text) ? undefined : `body ${show(text)}`
  const expected = body ?? wholeBody(wanted, answer, seen)
  return expected === undefined || expected === text ? undefined : `body ${show(text)}`
}

/** The bodies that the origin sent in a step, from 1. */
function bodiesOf(step: number, { script }: Seen): readonly string[] {
  return script.arrivalsOf(step - 1).map(({ given }) => given.body ?? '')
}

/** What an answer that is the origin's, now or before, has to contain where nothing else is said. */
function wholeBody({ from }: Expectation, answer: Answer, seen: Seen): string | undefined {
  if (from === undefined || from === 'validated') return undefined
  if (seen.method === 'HEAD') return ''
  const source = sourceOf(answer, seen)
  if (source === undefined || source.method === 'HEAD' || source.given.cut === true) return undefined
  const { status = 200, body } = source.given
  if (status !== answer.status) return undefined
  return status === 204 || status === 304 ? '' : body
}

function fieldsDifference({ fields, absent = [], names }: Expectation, answer: Answer, seen: Seen): string | undefined {
  for (const [name, wanted] of Object.entries(fields ?? {})) {
    const other = typeof wanted === 'object' && 'sameAs' in wanted ? wanted.sameAs : undefined
    const reference = other === undefined ? undefined : seen.observations[other - 1]?.answer?.lines(name)
    const difference = fieldDifference(name, wanted, answer.lines(name), reference)
    if (difference !== undefined) return difference
  }
  const present = absent.find((name) => answer.lines(name).length > 0)
  if (present !== undefined) return `${present}: ${answer.header(present) ?? ''}`
  if (names === undefined) return undefined
  const order = answer.fields.map(([name]) => name).filter((name) => isOneOf(name, names))
  return order.join() === names.join() ? undefined : `the order ${order.join(', ')}`
}

function isOneOf(name: string, names: readonly string[]): boolean {
  return names.some((other) => other.toLowerCase() === name.toLowerCase())
}

function fieldDifference(
  name: string,
  wanted: FieldWanted,
  lines: readonly string[],
  reference: readonly string[] | undefined,
): string | undefined {
  const combined = lines.join(', ')
  const seen = lines.length === 0 ? `no ${name}` : `${name}: ${combined}`
  return isAsWanted(wanted, lines, combined, reference) ? undefined : seen
}

function isAsWanted(
  wanted: FieldWanted,
  lines: readonly string[],
  combined: string,
  reference: readonly string[] | undefined,
): boolean {
  if (typeof wanted === 'string') return lines.length > 0 && combined === wanted
  if (wanted instanceof RegExp) return lines.length > 0 && wanted.test(combined)
  if (Array.isArray(wanted)) return lines.join('\n') === wanted.join('\n')
  if ('sameAs' in wanted) return lines.length > 0 && lines.join('\n') === reference?.join('\n')
  if ('not' in wanted) return combined !== wanted.not
  const { atLeast, atMost = Number.POSITIVE_INFINITY } = wanted as { atLeast: number; atMost?: number }
  return lines.length === 1 && /^\d+$/.test(combined) && Number(combined) >= atLeast && Number(combined) <= atMost
}

function interimDifference({ interim }: Expectation, { interim: came }: Seen): string | undefined {
  if (interim === undefined) return undefined
  const statuses = came.map(({ status }) => status).join(', ')
  return statuses === interim.join(', ') ? undefined : `interim answers: ${statuses || 'none'}`
}

function originDifference({ origin }: Expectation, { script, index }: Seen): string | undefined {
  if (origin === undefined) return undefined
  const arrivals = script.arrivalsOf(index)
  const { requests, method, body, fields = {}, absent = [] } = origin
  if (requests !== undefined && arrivals.length !== requests) return `${arrivals.length} requests to the origin`
  const latest = arrivals.at(-1)
  if (latest === undefined) return requests === 0 ? undefined : 'no request to the origin'
  if (method !== undefined && latest.method !== method) return `the origin saw ${latest.method}`
  if (body !== undefined && latest.body !== body) return `the origin saw the body ${show(latest.body)}`
  const linesNamed = (name: string): string[] =>
    latest.lines.filter(([key]) => isOneOf(key, [name])).map(([, value]) => value)
  for (const [name, wanted] of Object.entries(fields)) {
    const seen = fieldDifference(name, wanted, linesNamed(name), undefined)
    if (seen !== undefined) return `the origin saw ${seen}`
  }
  const present = absent.find((name) => linesNamed(name).length > 0)
  return present === undefined ? undefined : `the origin saw ${present}: ${linesNamed(present).join(', ')}`
}

function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

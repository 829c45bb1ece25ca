import type { Request } from 'express'
import { RequestProblem } from './problem.ts'

/** A positive whole number in the path. */
export function idParameter(req: Request, name: string): number {
  const value = req.params[name]
  if (typeof value !== 'string' || !/^[1-9]\d{0,8}$/.test(value)) {
    throw new RequestProblem(400, `"${name}" must be a positive whole number.`)
  }
  return Number(value)
}

/** The page asked for, counted from 1. */
export function pageParameter(req: Request): number {
  const value = queryText(req, 'page') ?? '1'
  if (!/^[1-9]\d{0,3}$/.test(value)) throw new RequestProblem(400, '"page" must be a whole number from 1 to 9999.')
  return Number(value)
}

/** One of the words allowed in the query string, or undefined when it is not given. */
export function choiceParameter<T extends string>(req: Request, name: string, choices: readonly T[]): T | undefined {
  return choice(queryText(req, name), name, choices)
}

/** A positive whole number in the JSON body. */
export function idField(req: Request, name: string): number {
  const value = fields(req)[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw new RequestProblem(400, `"${name}" must be a positive whole number.`)
  }
  return value
}

/** A text in the JSON body that is not empty. */
export function textField(req: Request, name: string, maxLength: number): string {
  const value = optionalTextField(req, name, maxLength)
  if (value === undefined) throw new RequestProblem(400, `"${name}" is missing.`)
  return value
}

export function optionalTextField(req: Request, name: string, maxLength: number): string | undefined {
  const value = fields(req)[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value.trim() === '' || value.length > maxLength) {
    throw new RequestProblem(400, `"${name}" must be a text of 1 to ${maxLength} characters.`)
  }
  return value
}

export function choiceField<T extends string>(req: Request, name: string, choices: readonly T[]): T {
  const value = choice(textField(req, name, 100), name, choices)
  if (value === undefined) throw new RequestProblem(400, `"${name}" is missing.`)
  return value
}

function choice<T extends string>(value: string | undefined, name: string, choices: readonly T[]): T | undefined {
  if (value === undefined) return undefined
  const chosen = choices.find((candidate) => candidate === value)
  if (chosen === undefined) throw new RequestProblem(400, `"${name}" must be one of ${choices.join(', ')}.`)
  return chosen
}

/** A parameter of the query string; an empty one counts as absent. */
function queryText(req: Request, name: string): string | undefined {
  const value: unknown = req.query[name]
  if (value === undefined || value === '') return undefined
  if (typeof value !== 'string') throw new RequestProblem(400, `"${name}" must be given once.`)
  return value
}

function fields(req: Request): Readonly<Record<string, unknown>> {
  const body: unknown = req.body
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new RequestProblem(400, 'The body must be a JSON object.')
  }
  return body as Readonly<Record<string, unknown>>
}

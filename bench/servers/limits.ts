import type { RequestListener, ServerResponse } from 'node:http'
import express from 'express'
import { Redis } from 'ioredis'
import { type Contestants, type Prepared, serveContestant, type Task } from '../contestant.ts'
import { originOf } from '../origin.ts'
import { inExpress, servedUncached } from './express.ts'

/** What no cache can beat in the same place, what is written by hand in an afternoon, and what is not cached at all. */
const LIMITS: Contestants = {
  'node:http': writing,
  'Express 5, first middleware': (task) => inExpress(writing(task)),
  'node:http, getBuffer by hand': readingByHand,
  'Express 5, getBuffer by hand': (task) => inExpress(readingByHand(task)),
  'node:http, origin': ({ size }) => originOf(size),
  'Express 5, uncached': ({ size }) => servedUncached(express(), size),
}

function writing({ prepared, answers }: Task): RequestListener {
  return answers === undefined ? writingOne(prepared) : writingByPath(answers)
}

function writingByPath(answers: Readonly<Record<string, Prepared>>): RequestListener {
  const listeners = new Map(Object.entries(answers).map(([path, prepared]) => [path, writingOne(prepared)]))
  return (req, res) => listeners.get(req.url ?? '')?.(req, res)
}

function writingOne(prepared: Prepared | undefined): RequestListener {
  const { status, head, body } = given(prepared)
  const fields = [...head]
  return (_req, res) => {
    res.writeHead(status, fields)
    res.end(body)
  }
}

/** A key per URL, the body as it is, no invalidation. */
function readingByHand({ redis = '', prepared }: Task): RequestListener {
  const { status, head, body } = given(prepared)
  const fields = [...head]
  const client = new Redis(redis)
  return (req, res) => {
    void answer(`by-hand:${req.url}`, res)
  }

  async function answer(key: string, res: ServerResponse): Promise<void> {
    const found = await client.getBuffer(key)
    if (found === null) await client.set(key, body, 'EX', 3_600)
    res.writeHead(status, fields)
    res.end(found ?? body)
  }
}

function given(prepared: Prepared | undefined): Prepared {
  if (prepared === undefined) throw new Error('A limit is given the answer to write')
  return prepared
}

serveContestant(LIMITS)

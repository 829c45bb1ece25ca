import type { Behaviour, Group } from '../behaviour.ts'
import { FRESH, notReusedFor } from '../shapes.ts'

const NOT_STORED: readonly (readonly [method: string, section: string])[] = [
  ['PUT', '9.3.4'],
  ['DELETE', '9.3.5'],
  ['OPTIONS', '9.3.7'],
  ['M-SEARCH', '9.1'],
]

/** Which methods' answers are stored, and for whom. */
export const methods: Group = {
  name: 'methods',
  behaviours: [
    {
      id: 'method-post-location',
      kind: 'optimal',
      says: 'A POST answer with freshness and its own URI as Content-Location serves a later GET (RFC 9110, 9.3.3).',
      needs: ['method-post-plain'],
      steps: [
        {
          request: { method: 'POST', body: 'a=1' },
          answer: { fields: { 'Cache-Control': FRESH, 'Content-Location': '{path}' } },
        },
        { expect: { from: 'cache', body: 1 } },
      ],
    },
    {
      id: 'method-post-plain',
      kind: 'required',
      says: 'A POST answer without Content-Location serves no GET (RFC 9110, 9.3.3).',
      steps: notReusedFor({ method: 'POST', body: 'a=1' }, {}, { 'Cache-Control': FRESH }),
    },
    {
      id: 'method-post-other-location',
      kind: 'required',
      says: 'A POST answer with another Content-Location serves no GET of the target (RFC 9110, 9.3.3).',
      steps: notReusedFor(
        { method: 'POST', body: 'a=1' },
        {},
        { 'Cache-Control': FRESH, 'Content-Location': '{path}/other' },
      ),
    },
    {
      id: 'method-post-twice',
      kind: 'required',
      says: 'A POST always reaches the origin, with its body (RFC 9111, 4).',
      steps: [
        {
          request: { method: 'POST', body: 'a=1' },
          answer: { fields: { 'Cache-Control': FRESH, 'Content-Location': '{path}' } },
        },
        {
          request: { method: 'POST', body: 'a=2' },
          expect: { from: 'origin', origin: { method: 'POST', body: 'a=2' } },
        },
      ],
    },
    {
      id: 'method-post-after-get',
      kind: 'required',
      says: 'A stored GET answer serves no POST (RFC 9111, 4).',
      steps: notReusedFor({}, { method: 'POST', body: 'a=1' }, { 'Cache-Control': FRESH }),
    },
    ...NOT_STORED.map(
      ([method, section]): Behaviour => ({
        id: `method-${method.toLowerCase()}-not-stored`,
        kind: 'required',
        says: `The answer to ${method} serves no GET (RFC 9110, ${section}).`,
        steps: notReusedFor({ method }, {}, { 'Cache-Control': FRESH, 'Content-Location': '{path}' }),
      }),
    ),
    {
      id: 'method-options-twice',
      kind: 'required',
      says: 'OPTIONS always reaches the origin (RFC 9110, 9.3.7).',
      steps: notReusedFor({ method: 'OPTIONS' }, { method: 'OPTIONS' }, { 'Cache-Control': FRESH }),
    },
    {
      id: 'method-head-from-get',
      kind: 'optimal',
      says: 'A stored GET answer serves a HEAD, without its body and with its length (RFC 9110, 9.3.2).',
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, 'X-Word': 'a' }, body: 'eleven char' } },
        {
          request: { method: 'HEAD' },
          expect: { from: 'cache', status: 200, body: '', fields: { 'Content-Length': '11', 'X-Word': 'a' } },
        },
      ],
    },
    {
      id: 'method-get-after-head',
      kind: 'required',
      says: 'A HEAD answer serves no GET (RFC 9110, 9.3.2).',
      steps: notReusedFor({ method: 'HEAD' }, {}, { 'Cache-Control': FRESH }),
    },
    {
      id: 'method-head-length',
      kind: 'required',
      says: 'A HEAD answer passes with the length that the origin states, and without a body (RFC 9110, 8.6 and 9.3.2).',
      steps: [
        {
          request: { method: 'HEAD' },
          answer: { fields: { 'Content-Length': '4711' } },
          expect: { from: 'origin', status: 200, body: '', fields: { 'Content-Length': '4711' } },
        },
      ],
    },
    {
      id: 'method-get-with-body',
      kind: 'check',
      wanted: 'no',
      says: 'A stored GET answer serves a GET that has a body (RFC 9110, 9.3.1).',
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH } } },
        { request: { body: 'a=1' }, expect: { from: 'cache' } },
      ],
    },
  ],
}

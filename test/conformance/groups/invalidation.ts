import type { Asked, Behaviour, Group, OriginAnswer, Step } from '../behaviour.ts'
import { FRESH } from '../shapes.ts'

const STORED: OriginAnswer = { fields: { 'Cache-Control': FRESH } }
const PLAIN: OriginAnswer = {}

/** A GET is stored, something is written, and the GET comes again. */
const after = (write: Asked, answer: OriginAnswer, again: 'origin' | 'cache', get: Asked = {}): readonly Step[] => [
  { request: get, answer: STORED },
  { request: write, answer, expect: { from: 'origin' } },
  { request: get, answer: STORED, expect: { from: again } },
]

const WRITES: readonly (readonly [method: string, status: number])[] = [
  ['POST', 200],
  ['POST', 201],
  ['POST', 303],
  ['PUT', 200],
  ['PUT', 204],
  ['PATCH', 200],
  ['DELETE', 200],
  ['DELETE', 204],
  ['M-SEARCH', 200],
  ['LINK', 200],
]

const FAILED: readonly (readonly [method: string, status: number])[] = [
  ['POST', 400],
  ['POST', 500],
  ['PUT', 404],
  ['DELETE', 503],
  ['M-SEARCH', 500],
]

const SAFE = ['OPTIONS', 'PROPFIND']

const LOCATIONS: readonly (readonly [name: string, field: string, value: string])[] = [
  ['location', 'Location', '{path}/other'],
  ['location-absolute', 'Location', 'http://{host}{path}/other'],
  ['content-location', 'Content-Location', '{path}/other'],
  ['content-location-absolute', 'Content-Location', 'http://{host}{path}/other'],
]

const named = (method: string): readonly Behaviour[] =>
  LOCATIONS.map(([name, field, value]) => ({
    id: `write-${method.toLowerCase()}-${name}`,
    kind: 'check',
    wanted: 'yes',
    says: `A successful ${method} invalidates what its ${field} names, here ${
      value.startsWith('http') ? 'an absolute URI' : 'a path'
    } (RFC 9111, 4.4).`,
    steps: after({ method }, { status: 201, fields: { [field]: value } }, 'origin', { at: '/other' }),
  }))

/** What a write makes wrong. */
export const invalidation: Group = {
  name: 'invalidation',
  behaviours: [
    ...WRITES.map(
      ([method, status]): Behaviour => ({
        id: `write-${method.toLowerCase()}-${status}`,
        kind: 'required',
        says: `A ${status} to ${method}${
          method === 'LINK' || method === 'M-SEARCH' ? ', which no cache has to know,' : ''
        } invalidates what is stored for the URI (RFC 9111, 4.4).`,
        steps: after({ method }, { status }, 'origin'),
      }),
    ),
    ...FAILED.map(
      ([method, status]): Behaviour => ({
        id: `write-failed-${method.toLowerCase()}-${status}`,
        kind: 'optimal',
        says: `A ${status} to ${method} invalidates nothing (RFC 9111, 4.4).`,
        needs: [`write-${method.toLowerCase()}-200`],
        steps: after({ method }, { status }, 'cache'),
      }),
    ),
    ...SAFE.map(
      (method): Behaviour => ({
        id: `write-not-${method.toLowerCase()}`,
        kind: 'optimal',
        says: `${method} is safe and invalidates nothing (RFC 9111, 4.4; RFC 9110, 9.2.1).`,
        needs: ['write-post-200'],
        steps: after({ method }, PLAIN, 'cache'),
      }),
    ),
    ...named('POST'),
    ...named('PUT'),
    ...named('DELETE'),
    ...named('M-SEARCH'),
    {
      id: 'write-location-relative',
      kind: 'check',
      wanted: 'yes',
      says: 'A relative Location is resolved against the URI of the write (RFC 9111, 4.4; RFC 9110, 10.2.2).',
      needs: ['write-post-location'],
      steps: after({ method: 'POST', at: '/list' }, { status: 201, fields: { Location: 'other' } }, 'origin', {
        at: '/other',
      }),
    },
    {
      id: 'write-location-parent',
      kind: 'check',
      wanted: 'yes',
      says: 'A Location with dot segments is resolved before it is invalidated (RFC 3986, 5.2.4; RFC 9111, 4.4).',
      needs: ['write-post-location'],
      steps: after({ method: 'POST', at: '/list/all' }, { status: 201, fields: { Location: '../other' } }, 'origin', {
        at: '/other',
      }),
    },
    {
      id: 'write-failed-location',
      kind: 'optimal',
      says: 'A failed POST does not invalidate what its Location names (RFC 9111, 4.4).',
      needs: ['write-post-location'],
      steps: after({ method: 'POST' }, { status: 400, fields: { Location: '{path}/other' } }, 'cache', {
        at: '/other',
      }),
    },
    ...(['Location', 'Content-Location'] as const).map(
      (field): Behaviour => ({
        id: `write-foreign-${field.toLowerCase()}`,
        kind: 'required',
        says: `A write does not invalidate what its ${field} names on another host (RFC 9111, 4.4).`,
        needs: [`write-post-${field.toLowerCase()}-absolute`, 'key-host'],
        steps: [
          { request: { at: '/other', fields: { Host: 'other.example' } }, answer: STORED },
          {
            request: { method: 'POST' },
            answer: { status: 201, fields: { [field]: 'http://other.example{path}/other' } },
            expect: { from: 'origin' },
          },
          {
            request: { at: '/other', fields: { Host: 'other.example' } },
            answer: STORED,
            expect: { from: 'cache', body: 1 },
          },
        ],
      }),
    ),
    {
      id: 'write-foreign-same-path',
      kind: 'required',
      says: 'A write whose Location is on another host leaves the same path of its own host alone (RFC 9111, 4.4).',
      needs: ['write-post-location-absolute'],
      steps: after(
        { method: 'POST' },
        { status: 201, fields: { Location: 'http://other.example{path}/other' } },
        'cache',
        { at: '/other' },
      ),
    },
    {
      id: 'write-foreign-port',
      kind: 'required',
      says: 'A write does not invalidate what its Location names on another port (RFC 9111, 4.4).',
      needs: ['write-post-location-absolute'],
      steps: [
        { request: { at: '/other', fields: { Host: 'other.example:8080' } }, answer: STORED },
        {
          request: { method: 'POST', fields: { Host: 'other.example' } },
          answer: { status: 201, fields: { Location: 'http://other.example:8080{path}/other' } },
          expect: { from: 'origin' },
        },
        {
          request: { at: '/other', fields: { Host: 'other.example:8080' } },
          answer: STORED,
          expect: { from: 'cache', body: 1 },
        },
      ],
    },
    {
      id: 'write-all-variants',
      kind: 'required',
      says: 'A write invalidates every variant of its URI (RFC 9111, 4.4).',
      needs: ['vary-two-variants'],
      steps: [
        {
          request: { fields: { Tune: 'a' } },
          answer: { fields: { 'Cache-Control': FRESH, Vary: 'Tune' } },
        },
        { request: { fields: { Tune: 'b' } }, expect: { from: 'origin' } },
        { request: { method: 'POST', fields: { Tune: 'c' } }, answer: PLAIN, expect: { from: 'origin' } },
        { request: { fields: { Tune: 'a' } }, expect: { from: 'origin' } },
        { request: { fields: { Tune: 'b' } }, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'write-then-head',
      kind: 'required',
      says: 'A write invalidates what a HEAD would be answered with (RFC 9111, 4.4).',
      needs: ['method-head-from-get'],
      steps: [
        { answer: STORED },
        { request: { method: 'POST' }, answer: PLAIN, expect: { from: 'origin' } },
        { request: { method: 'HEAD' }, answer: STORED, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'write-other-query',
      kind: 'optimal',
      says: 'A write leaves the answers to other queries of its path alone (RFC 9111, 4.4).',
      needs: ['write-post-200'],
      steps: [
        { request: { at: '?a=1' }, answer: STORED },
        { request: { method: 'POST', at: '?a=2' }, answer: PLAIN, expect: { from: 'origin' } },
        { request: { at: '?a=1' }, answer: STORED, expect: { from: 'cache', body: 1 } },
      ],
    },
    {
      id: 'write-with-query',
      kind: 'required',
      says: 'A write to a URI with a query invalidates that URI (RFC 9111, 4.4).',
      steps: after({ method: 'POST', at: '?a=1' }, PLAIN, 'origin', { at: '?a=1' }),
    },
    {
      id: 'write-meanwhile',
      kind: 'check',
      wanted: 'yes',
      says: 'An answer that was under way when a write began and ended is not stored (RFC 9111, 4.4 does not say).',
      needs: ['write-post-200'],
      steps: [
        { answer: { ...STORED, delay: 1 }, expect: { from: 'origin' } },
        { meanwhile: true, request: { method: 'POST' }, answer: PLAIN, expect: { from: 'origin' } },
        { answer: STORED, expect: { from: 'origin' } },
      ],
    },
  ],
}

import type { Group, Step } from '../behaviour.ts'
import { FRESH, OLD, STALE_TAGGED, TAG } from '../shapes.ts'

const BODY = 'eleven char'
const HEAD = { method: 'HEAD' } as const
const RELOAD = { ...HEAD, fields: { 'Cache-Control': 'no-cache' } } as const

const STORED_STALE: Step = { answer: { fields: { ...STALE_TAGGED, 'X-Word': 'a' }, body: BODY } }
const STORED_FRESH: Step = {
  answer: { fields: { 'Cache-Control': FRESH, ETag: TAG, 'Last-Modified': OLD }, body: BODY },
}

/** What the answer to a HEAD says of the stored answer to a GET. */
export const headUpdates: Group = {
  name: 'HEAD updates',
  behaviours: [
    {
      id: 'head-stale-passed-on',
      kind: 'check',
      wanted: 'yes',
      says: 'A HEAD for something stale reaches the origin (RFC 9111, 4.2.4).',
      needs: ['method-head-from-get'],
      steps: [
        STORED_STALE,
        { request: HEAD, answer: { fields: { ETag: TAG }, body: BODY }, expect: { from: 'origin', status: 200 } },
      ],
    },
    {
      id: 'head-updates-freshness',
      kind: 'check',
      wanted: 'yes',
      says: 'A 200 to HEAD with the stored tag and length makes a stored GET answer fresh again (RFC 9111, 4.3.5).',
      needs: ['head-stale-passed-on'],
      steps: [
        STORED_STALE,
        { request: HEAD, answer: { fields: { 'Cache-Control': FRESH, ETag: TAG }, body: BODY } },
        { expect: { from: 'cache', status: 200, body: BODY } },
      ],
    },
    {
      id: 'head-updates-fields',
      kind: 'check',
      wanted: 'yes',
      says: 'A 200 to HEAD with the stored tag and length updates the stored fields (RFC 9111, 4.3.5).',
      needs: ['head-updates-freshness'],
      steps: [
        STORED_STALE,
        { request: HEAD, answer: { fields: { 'Cache-Control': FRESH, ETag: TAG, 'X-Word': 'b' }, body: BODY } },
        { expect: { from: 'cache', status: 200, body: BODY, fields: { 'X-Word': 'b' } } },
      ],
    },
    {
      id: 'head-contradicts-tag',
      kind: 'check',
      wanted: 'yes',
      says: 'A 200 to HEAD with another tag makes the stored GET answer stale (RFC 9111, 4.3.5).',
      needs: ['ask-no-cache'],
      steps: [
        STORED_FRESH,
        {
          request: RELOAD,
          answer: { fields: { 'Cache-Control': FRESH, ETag: '"two"' }, body: BODY },
          expect: { from: 'origin' },
        },
        { expect: { from: 'origin' } },
      ],
    },
    {
      id: 'head-contradicts-date',
      kind: 'check',
      wanted: 'yes',
      says: 'A 200 to HEAD with another Last-Modified makes the stored GET answer stale (RFC 9111, 4.3.5).',
      needs: ['ask-no-cache'],
      steps: [
        STORED_FRESH,
        {
          request: RELOAD,
          answer: { fields: { ETag: TAG, 'Last-Modified': 'Thu, 10 Mar 2016 14:30:00 GMT' }, body: BODY },
          expect: { from: 'origin' },
        },
        { expect: { from: 'origin' } },
      ],
    },
    {
      id: 'head-contradicts-length',
      kind: 'check',
      wanted: 'yes',
      says: 'A 200 to HEAD with another length makes the stored GET answer stale (RFC 9111, 4.3.5).',
      needs: ['ask-no-cache'],
      steps: [
        STORED_FRESH,
        {
          request: RELOAD,
          answer: { fields: { 'Cache-Control': FRESH, ETag: TAG }, body: `${BODY}, and more` },
          expect: { from: 'origin' },
        },
        { expect: { from: 'origin' } },
      ],
    },
    {
      id: 'head-agrees',
      kind: 'optimal',
      says: 'A 200 to HEAD that contradicts nothing leaves the stored GET answer usable (RFC 9111, 4.3.5).',
      needs: ['ask-no-cache'],
      steps: [
        STORED_FRESH,
        {
          request: RELOAD,
          answer: { fields: { 'Cache-Control': FRESH, ETag: TAG, 'Last-Modified': OLD }, body: BODY },
          expect: { status: 200 },
        },
        { expect: { from: 'cache', status: 200, body: BODY } },
      ],
    },
    {
      id: 'head-410',
      kind: 'check',
      wanted: 'free',
      says: 'A 410 to HEAD leaves the stored GET answer usable (RFC 9111, 4.3.5 speaks of 200).',
      needs: ['ask-no-cache'],
      steps: [
        STORED_FRESH,
        { request: RELOAD, answer: { status: 410 }, expect: { from: 'origin', status: 410 } },
        { answer: { body: BODY }, expect: { from: 'cache', status: 200 } },
      ],
    },
    {
      id: 'head-410-no-update',
      kind: 'check',
      wanted: 'no',
      says: 'A 410 to HEAD changes the fields of the stored GET answer (RFC 9111, 4.3.5 speaks of 200).',
      needs: ['ask-no-cache'],
      steps: [
        STORED_FRESH,
        {
          request: RELOAD,
          answer: { status: 410, fields: { 'X-Word': 'b' } },
          expect: { from: 'origin', status: 410 },
        },
        { answer: { body: BODY }, expect: { fields: { 'X-Word': 'b' } } },
      ],
    },
  ],
}

import type { Behaviour, FieldValue, Group, OriginAnswer, Step } from '../behaviour.ts'
import { FRESH, inSeconds, OLD, TAG } from '../shapes.ts'

const BODY = '0123456789'
const WHOLE: OriginAnswer = {
  fields: { 'Cache-Control': FRESH, ETag: TAG, 'Last-Modified': OLD, 'Content-Type': 'text/x-example' },
  body: BODY,
}

interface Row {
  readonly name: string
  readonly range: string
  readonly part: string
  readonly at: string
  readonly says: string
}

const SINGLE: readonly Row[] = [
  { name: 'first-last', range: 'bytes=2-4', part: '234', at: 'bytes 2-4/10', says: 'from a first to a last byte' },
  { name: 'first-byte', range: 'bytes=0-0', part: '0', at: 'bytes 0-0/10', says: 'of the first byte' },
  { name: 'open', range: 'bytes=7-', part: '789', at: 'bytes 7-9/10', says: 'to the end' },
  { name: 'suffix', range: 'bytes=-3', part: '789', at: 'bytes 7-9/10', says: 'of the last bytes' },
  { name: 'beyond', range: 'bytes=8-99', part: '89', at: 'bytes 8-9/10', says: 'that ends beyond the body' },
  {
    name: 'long-suffix',
    range: 'bytes=-99',
    part: BODY,
    at: 'bytes 0-9/10',
    says: 'of more last bytes than there are',
  },
  {
    name: 'large',
    range: 'bytes=8-99999999999999999999',
    part: '89',
    at: 'bytes 8-9/10',
    says: 'with a number of 20 digits',
  },
  { name: 'unit-case', range: 'Bytes=2-4', part: '234', at: 'bytes 2-4/10', says: 'whose unit has a capital' },
]

const single = ({ name, range, part, at, says }: Row): Behaviour => ({
  id: `part-${name}`,
  kind: 'optimal',
  says: `A range ${says} is served from a stored answer (RFC 9110, 14.1.2 and 14.2).`,
  steps: [
    { answer: WHOLE },
    {
      request: { fields: { Range: range } },
      expect: {
        from: 'cache',
        status: 206,
        body: part,
        fields: { 'Content-Range': at, 'Content-Length': String(part.length) },
      },
    },
  ],
})

const IGNORED: readonly (readonly [name: string, range: string, says: string])[] = [
  ['unit', 'lines=2-4', 'of an unknown unit'],
  ['backwards', 'bytes=4-2', 'that ends before it begins'],
  ['letters', 'bytes=a-b', 'of letters'],
  ['one-bad', 'bytes=0-1,x', 'with a member that is none'],
]

const ignored = ([name, range, says]: (typeof IGNORED)[number]): Behaviour => ({
  id: `part-ignored-${name}`,
  kind: name === 'unit' ? 'required' : 'optimal',
  says: `A range ${says} is ignored (RFC 9110, 14.2).`,
  needs: ['part-first-last'],
  steps: [{ answer: WHOLE }, { request: { fields: { Range: range } }, expect: { status: 200, body: BODY } }],
})

/** A range on a condition, of something that is stored. */
const onCondition = (condition: FieldValue, stored: OriginAnswer, status: 200 | 206): readonly Step[] => [
  { answer: stored },
  {
    request: { fields: { Range: 'bytes=2-4', 'If-Range': condition } },
    answer: { status: 206, fields: { 'Content-Range': 'bytes 2-4/10' }, body: 'not' },
    expect:
      status === 200
        ? { from: 'cache', status, body: BODY, absent: ['Content-Range'] }
        : { from: 'cache', status, body: '234', fields: { 'Content-Range': 'bytes 2-4/10' } },
  },
]

/** The first half of an answer, then somebody asks for all of it. */
const brokenOff = (answer: OriginAnswer): readonly Step[] => [
  { answer: { ...answer, fields: { 'Cache-Control': FRESH }, cut: true }, expect: {} },
  { answer: WHOLE, expect: { from: 'origin', status: 200, body: BODY } },
]

/** Parts of answers, asked for or left over. */
export const partialContent: Group = {
  name: 'partial content',
  behaviours: [
    ...SINGLE.map(single),
    ...IGNORED.map(ignored),
    {
      id: 'part-keeps-fields',
      kind: 'required',
      says: 'A part has the stored fields of the whole (RFC 9110, 15.3.7).',
      needs: ['part-first-last'],
      steps: [
        {
          answer: {
            ...WHOLE,
            fields: { ...WHOLE.fields, 'X-Word': 'a', Vary: 'Tune', 'Content-Location': '/elsewhere' },
          },
        },
        {
          request: { fields: { Range: 'bytes=2-4' } },
          expect: {
            status: 206,
            fields: {
              'Cache-Control': FRESH,
              ETag: TAG,
              Date: { sameAs: 1 },
              Vary: 'Tune',
              'Content-Location': '/elsewhere',
              'Content-Type': 'text/x-example',
              'Last-Modified': OLD,
              'X-Word': 'a',
              Age: { atLeast: 0 },
            },
          },
        },
      ],
    },
    {
      id: 'part-leaves-whole',
      kind: 'required',
      says: 'What is stored stays whole after a part of it was served (RFC 9111, 3.3).',
      needs: ['part-first-last'],
      steps: [
        { answer: WHOLE },
        { request: { fields: { Range: 'bytes=2-4' } }, expect: { status: 206, body: '234' } },
        { expect: { from: 'cache', status: 200, body: BODY, absent: ['Content-Range'] } },
      ],
    },
    {
      id: 'part-unsatisfiable',
      kind: 'optimal',
      says: 'A range beyond a stored body is a 416 with the length of the body (RFC 9110, 14.4 and 15.5.17).',
      needs: ['part-first-last'],
      steps: [
        { answer: WHOLE },
        {
          request: { fields: { Range: 'bytes=10-' } },
          expect: { status: 416, fields: { 'Content-Range': 'bytes */10' }, origin: { requests: 0 } },
        },
      ],
    },
    {
      id: 'part-unsatisfiable-not-stored',
      kind: 'required',
      says: 'A 416 takes nothing away and answers nobody else (RFC 9111, 3).',
      needs: ['part-unsatisfiable'],
      steps: [
        { answer: WHOLE },
        { request: { fields: { Range: 'bytes=10-' } }, expect: { status: 416, absent: ['Cache-Control', 'ETag'] } },
        { expect: { from: 'cache', status: 200, body: BODY } },
      ],
    },
    {
      id: 'part-several',
      kind: 'check',
      wanted: 'yes',
      says: 'Several ranges are served from a stored answer as multipart/byteranges (RFC 9110, 15.3.7.2).',
      steps: [
        { answer: WHOLE },
        {
          request: { fields: { Range: 'bytes=0-1,6-8' } },
          expect: {
            from: 'cache',
            status: 206,
            fields: { 'Content-Type': /^multipart\/byteranges; ?boundary=/i },
            absent: ['Content-Range'],
            body: /Content-Range: bytes 0-1\/10[^]*\r\n\r\n01\r\n[^]*Content-Range: bytes 6-8\/10[^]*\r\n\r\n678\r\n/i,
          },
        },
      ],
    },
    {
      id: 'part-many',
      kind: 'check',
      wanted: 'yes',
      says: 'A hundred overlapping ranges are ignored (RFC 9110, 14.2 and 17.15).',
      needs: ['part-first-last'],
      steps: [
        { answer: WHOLE },
        {
          request: { fields: { Range: `bytes=${Array.from({ length: 100 }, () => '0-').join(',')}` } },
          expect: { from: 'cache', status: 200, body: BODY },
        },
      ],
    },
    {
      id: 'part-head',
      kind: 'required',
      says: 'A range in a HEAD is ignored (RFC 9110, 14.2).',
      needs: ['part-first-last', 'method-head-from-get'],
      steps: [
        { answer: WHOLE },
        {
          request: { method: 'HEAD', fields: { Range: 'bytes=2-4' } },
          expect: { status: 200, fields: { 'Content-Length': '10' }, absent: ['Content-Range'] },
        },
      ],
    },
    {
      id: 'part-of-404',
      kind: 'required',
      says: 'A range is no question to a stored 404 (RFC 9110, 14.2).',
      needs: ['part-first-last', 'status-fresh-404'],
      steps: [
        { answer: { ...WHOLE, status: 404 } },
        { request: { fields: { Range: 'bytes=2-4' } }, expect: { from: 'cache', status: 404, body: BODY } },
      ],
    },
    {
      id: 'part-after-condition',
      kind: 'optimal',
      says: 'A tag that matches decides before a range (RFC 9110, 13.2.2).',
      needs: ['part-first-last', 'tag-strong'],
      steps: [
        { answer: WHOLE },
        {
          request: { fields: { Range: 'bytes=2-4', 'If-None-Match': TAG } },
          expect: { from: 'cache', status: 304, body: '' },
        },
      ],
    },
    {
      id: 'part-if-range-tag',
      kind: 'optimal',
      says: 'If-Range with the stored strong tag gives the part (RFC 9110, 13.1.5).',
      needs: ['part-if-range-other-tag'],
      steps: onCondition(TAG, WHOLE, 206),
    },
    {
      id: 'part-if-range-other-tag',
      kind: 'required',
      says: 'If-Range with another tag gives the whole (RFC 9110, 13.1.5).',
      needs: ['part-first-last'],
      steps: onCondition('"two"', WHOLE, 200),
    },
    {
      id: 'part-if-range-weak-tag',
      kind: 'required',
      says: 'If-Range with a weak tag gives the whole although the stored one is the same (RFC 9110, 13.1.5).',
      needs: ['part-first-last'],
      steps: onCondition('W/"one"', { ...WHOLE, fields: { ...WHOLE.fields, ETag: 'W/"one"' } }, 200),
    },
    {
      id: 'part-if-range-weak-asked',
      kind: 'required',
      says: 'If-Range with a weak tag gives the whole where the stored one is strong (RFC 9110, 13.1.5).',
      needs: ['part-first-last'],
      steps: onCondition('W/"one"', WHOLE, 200),
    },
    {
      id: 'part-if-range-date',
      kind: 'optimal',
      says: 'If-Range with the stored date, long before Date, gives the part (RFC 9110, 13.1.5 and 8.8.2.2).',
      needs: ['part-if-range-other-date'],
      steps: onCondition(OLD, WHOLE, 206),
    },
    {
      id: 'part-if-range-other-date',
      kind: 'required',
      says: 'If-Range with a later date than the stored one gives the whole (RFC 9110, 13.1.5).',
      needs: ['part-first-last'],
      steps: onCondition(inSeconds(0), WHOLE, 200),
    },
    {
      id: 'part-not-stored-as-whole',
      kind: 'required',
      says: 'A 206 of the origin never answers a request for the whole (RFC 9111, 3.3).',
      steps: [
        {
          request: { fields: { Range: 'bytes=0-4' } },
          answer: {
            status: 206,
            fields: { ...WHOLE.fields, 'Content-Range': 'bytes 0-4/10' },
            body: '01234',
            otherwise: WHOLE,
          },
          expect: { status: [200, 206] },
        },
        { answer: WHOLE, expect: { status: 200, body: BODY, absent: ['Content-Range'] } },
      ],
    },
    {
      id: 'part-unasked-not-stored',
      kind: 'required',
      says: 'A 206 that nobody asked for is not stored (RFC 9111, 3.3).',
      steps: [
        {
          answer: {
            status: 206,
            fields: { ...WHOLE.fields, 'Content-Range': 'bytes 0-4/10' },
            body: '01234',
            always: true,
          },
          expect: { from: 'origin', status: 206 },
        },
        { answer: WHOLE, expect: { from: 'origin', status: 200, body: BODY } },
      ],
    },
    {
      id: 'part-of-other-range',
      kind: 'required',
      says: 'A 206 of the origin does not answer a request for another range (RFC 9111, 3.3).',
      steps: [
        {
          request: { fields: { Range: 'bytes=0-1' } },
          answer: {
            status: 206,
            fields: { ...WHOLE.fields, 'Content-Range': 'bytes 0-1/10' },
            body: '01',
            otherwise: WHOLE,
          },
          expect: { status: [200, 206] },
        },
        {
          request: { fields: { Range: 'bytes=4-5' } },
          answer: {
            status: 206,
            fields: { ...WHOLE.fields, 'Content-Range': 'bytes 4-5/10' },
            body: '45',
            otherwise: WHOLE,
          },
          expect: { status: 206, body: '45', fields: { 'Content-Range': 'bytes 4-5/10' } },
        },
      ],
    },
    {
      id: 'part-fills-whole',
      kind: 'check',
      wanted: 'free',
      says: 'A range of something that is not stored makes the cache fetch and store the whole (RFC 9111, 3.3).',
      steps: [
        {
          request: { fields: { Range: 'bytes=0-1' } },
          answer: {
            status: 206,
            fields: { ...WHOLE.fields, 'Content-Range': 'bytes 0-1/10' },
            body: '01',
            otherwise: WHOLE,
          },
          expect: { status: [200, 206] },
        },
        { expect: { from: 'cache', status: 200, body: BODY } },
      ],
    },
    {
      id: 'part-cut-length',
      kind: 'required',
      says: 'An answer that ends before its Content-Length is not reused (RFC 9111, 3.3).',
      steps: brokenOff({ body: 'this is cut in the middle' }),
    },
    {
      id: 'part-cut-chunked',
      kind: 'required',
      says: 'An answer that ends before its last chunk is not reused (RFC 9111, 3.3; RFC 9112, 8).',
      steps: brokenOff({ body: 'this is cut in the middle', chunked: true }),
    },
    {
      id: 'part-client-leaves',
      kind: 'required',
      says: 'An answer that its client did not wait for is whole for the next one (RFC 9111, 3.3).',
      steps: [
        {
          request: { leaves: true },
          answer: { fields: { 'Cache-Control': FRESH }, body: 'this is sent in two halves', pause: 0.5 },
          expect: {},
        },
        { wait: 1, expect: { status: 200, body: 'this is sent in two halves' } },
      ],
    },
  ],
}

import type { Behaviour, Group } from '../behaviour.ts'
import { FRESH, OLD, STALE_TAGGED, stale, TAG } from '../shapes.ts'

interface Row {
  readonly name: string
  readonly stored: string
  readonly asked: string
  readonly says: string
}

const MATCHES: readonly Row[] = [
  { name: 'strong', stored: '"one"', asked: '"one"', says: 'the same strong tag' },
  { name: 'weak', stored: 'W/"one"', asked: 'W/"one"', says: 'the same weak tag' },
  { name: 'weak-stored', stored: 'W/"one"', asked: '"one"', says: 'a strong tag where the stored one is weak' },
  { name: 'weak-asked', stored: '"one"', asked: 'W/"one"', says: 'a weak tag where the stored one is strong' },
  { name: 'list-first', stored: '"one"', asked: '"one", "two", "three"', says: 'the tag as the first of three' },
  { name: 'list-middle', stored: '"one"', asked: '"two", "one", "three"', says: 'the tag in the middle of three' },
  { name: 'list-last', stored: '"one"', asked: '"two", "three","one"', says: 'the tag as the last of three' },
  { name: 'star', stored: '"one"', asked: '*', says: 'a star' },
  { name: 'comma', stored: '"one,two"', asked: '"three", "one,two"', says: 'a tag that contains a comma' },
  { name: 'empty', stored: '""', asked: '""', says: 'an empty tag' },
]

const matches = ({ name, stored, asked, says }: Row): Behaviour => ({
  id: `tag-${name}`,
  kind: 'optimal',
  says: `A fresh stored answer is a 304 to ${says} (RFC 9111, 4.3.2; RFC 9110, 8.8.3.2 and 13.1.2).`,
  steps: [
    { answer: { fields: { 'Cache-Control': FRESH, ETag: stored } } },
    { request: { fields: { 'If-None-Match': asked } }, expect: { from: 'cache', status: 304, body: '' } },
  ],
})

const OTHERS: readonly Row[] = [
  { name: 'other', stored: '"one"', asked: '"two"', says: 'another tag' },
  { name: 'other-case', stored: '"one"', asked: '"ONE"', says: 'the tag in another case' },
  { name: 'within', stored: '"one"', asked: '"one,two"', says: 'a tag that begins with the stored one' },
  { name: 'behind', stored: '"two"', asked: '"one,two"', says: 'a tag that ends with the stored one' },
]

const differs = ({ name, stored, asked, says }: Row): Behaviour => ({
  id: `tag-${name}`,
  kind: 'required',
  says: `A fresh stored answer is whole to ${says} (RFC 9110, 8.8.3.2 and 13.1.2).`,
  needs: ['tag-strong'],
  steps: [
    { answer: { fields: { 'Cache-Control': FRESH, ETag: stored } } },
    { request: { fields: { 'If-None-Match': asked } }, expect: { status: 200, body: /^Answer \d/ } },
  ],
})

const LENIENT: readonly (Row & { readonly wanted: 'no' | 'free' })[] = [
  {
    name: 'unquoted-asked',
    stored: '"one"',
    asked: 'one',
    says: 'a tag whose quotes are missing in the request',
    wanted: 'no',
  },
  {
    name: 'unquoted-stored',
    stored: 'one',
    asked: '"one"',
    says: 'a tag whose quotes are missing in the answer',
    wanted: 'no',
  },
  { name: 'small-w-asked', stored: 'W/"one"', asked: 'w/"one"', says: 'a weak tag with a small w', wanted: 'no' },
  { name: 'star-in-list', stored: '"one"', asked: '*, "two"', says: 'a star in a list', wanted: 'no' },
  { name: 'unquoted-both', stored: 'one', asked: 'one', says: 'the same tag without quotes', wanted: 'free' },
  {
    name: 'single-quotes-both',
    stored: "'one'",
    asked: "'one'",
    says: 'the same tag in single quotes',
    wanted: 'free',
  },
]

const lenient = ({ name, stored, asked, says, wanted }: (typeof LENIENT)[number]): Behaviour => ({
  id: `tag-${name}`,
  kind: 'check',
  wanted,
  says: `A fresh stored answer is a 304 to ${says} (RFC 9110, 8.8.3: no entity-tag).`,
  needs: ['tag-strong'],
  steps: [
    { answer: { fields: { 'Cache-Control': FRESH, ETag: stored } } },
    { request: { fields: { 'If-None-Match': asked } }, expect: { from: 'cache', status: 304 } },
  ],
})

/** Conditions by tag, judged by the cache, and those of its own. */
export const ifNoneMatch: Group = {
  name: 'If-None-Match',
  behaviours: [
    ...MATCHES.map(matches),
    ...OTHERS.map(differs),
    ...LENIENT.map(lenient),
    {
      id: 'tag-304-has-tag',
      kind: 'required',
      says: 'A 304 of the cache has the ETag of what is stored (RFC 9110, 15.4.5).',
      needs: ['tag-strong'],
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, ETag: TAG } } },
        {
          request: { fields: { 'If-None-Match': TAG } },
          expect: { from: 'cache', status: 304, fields: { ETag: TAG } },
        },
      ],
    },
    {
      id: 'tag-304-has-fields',
      kind: 'required',
      says: 'A 304 of the cache has Cache-Control, Content-Location, Date, Expires and Vary as the 200 (RFC 9110, 15.4.5).',
      needs: ['tag-strong'],
      steps: [
        {
          answer: {
            fields: {
              'Cache-Control': FRESH,
              'Content-Location': '/elsewhere',
              Expires: OLD,
              Vary: 'Tune',
              ETag: TAG,
            },
          },
        },
        {
          request: { fields: { 'If-None-Match': TAG } },
          expect: {
            from: 'cache',
            status: 304,
            fields: {
              'Cache-Control': FRESH,
              'Content-Location': '/elsewhere',
              Date: { sameAs: 1 },
              Expires: OLD,
              Vary: 'Tune',
              Age: { atLeast: 0 },
            },
          },
        },
      ],
    },
    {
      id: 'tag-304-has-no-content',
      kind: 'required',
      says: 'A 304 of the cache has no body and no length or type of one (RFC 9110, 15.4.5).',
      needs: ['tag-strong'],
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, ETag: TAG, 'Content-Type': 'text/plain' } } },
        {
          request: { fields: { 'If-None-Match': TAG } },
          expect: { status: 304, body: '', absent: ['Content-Length', 'Transfer-Encoding', 'Content-Type'] },
        },
      ],
    },
    {
      id: 'tag-decides-alone',
      kind: 'required',
      says: 'If-None-Match that does not match decides against an If-Modified-Since that would (RFC 9110, 13.1.3).',
      needs: ['tag-strong', 'since-equal'],
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, ETag: TAG, 'Last-Modified': OLD } } },
        {
          request: { fields: { 'If-None-Match': '"two"', 'If-Modified-Since': OLD } },
          expect: { status: 200, body: /^Answer \d/ },
        },
      ],
    },
    {
      id: 'tag-decides-for-304',
      kind: 'optimal',
      says: 'If-None-Match that matches decides against an If-Modified-Since that would not (RFC 9110, 13.1.3).',
      needs: ['tag-strong'],
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, ETag: TAG, 'Last-Modified': OLD } } },
        {
          request: { fields: { 'If-None-Match': TAG, 'If-Modified-Since': 'Tue, 08 Mar 2016 14:30:00 GMT' } },
          expect: { from: 'cache', status: 304 },
        },
      ],
    },
    {
      id: 'tag-not-on-404',
      kind: 'required',
      says: 'A condition is no question to a stored 404 (RFC 9110, 13.2.1).',
      needs: ['tag-strong', 'status-fresh-404'],
      steps: [
        { answer: { status: 404, fields: { 'Cache-Control': FRESH, ETag: TAG } } },
        { request: { fields: { 'If-None-Match': TAG } }, expect: { from: 'cache', status: 404 } },
      ],
    },
    {
      id: 'tag-head',
      kind: 'optimal',
      says: 'A HEAD with a tag that matches is answered with a 304 of the cache (RFC 9110, 13.1.2).',
      needs: ['method-head-from-get'],
      steps: [
        { answer: { fields: { 'Cache-Control': FRESH, ETag: TAG } } },
        {
          request: { method: 'HEAD', fields: { 'If-None-Match': TAG } },
          expect: { from: 'cache', status: 304, fields: { ETag: TAG } },
        },
      ],
    },
    ...['"one"', 'W/"one"'].map(
      (tag): Behaviour => ({
        id: `tag-validates-${tag.startsWith('W') ? 'weak' : 'strong'}`,
        kind: 'optimal',
        says: `A stale answer is validated with its own tag, ${tag} verbatim (RFC 9111, 4.3.1).`,
        steps: [
          { answer: { fields: { ...stale(), ETag: tag } } },
          {
            answer: { status: 304, fields: { ETag: tag } },
            expect: { from: 'validated', status: 200, body: 1, origin: { fields: { 'If-None-Match': tag } } },
          },
        ],
      }),
    ),
    {
      id: 'tag-validates-with-date',
      kind: 'optimal',
      says: 'A stale answer with a tag and a date is validated with both (RFC 9111, 4.3.1).',
      steps: [
        { answer: { fields: { ...STALE_TAGGED, 'Last-Modified': OLD } } },
        {
          answer: { status: 304, fields: { ETag: TAG } },
          expect: {
            from: 'validated',
            status: 200,
            origin: { fields: { 'If-None-Match': TAG, 'If-Modified-Since': OLD } },
          },
        },
      ],
    },
    {
      id: 'tag-client-matches',
      kind: 'optimal',
      says: 'A client that has what was just validated gets a 304 (RFC 9111, 4.3.2).',
      needs: ['tag-validates-strong'],
      steps: [
        { answer: { fields: STALE_TAGGED } },
        {
          request: { fields: { 'If-None-Match': TAG } },
          answer: { status: 304, fields: { ETag: TAG, 'Cache-Control': FRESH } },
          expect: { from: 'validated', status: 304, body: '' },
        },
      ],
    },
    {
      id: 'tag-client-differs',
      kind: 'required',
      says: 'A client that has something else than what was validated gets it whole (RFC 9111, 4.3.2).',
      needs: ['tag-validates-strong'],
      steps: [
        { answer: { fields: STALE_TAGGED } },
        {
          request: { fields: { 'If-None-Match': '"two"' } },
          answer: { status: 304, fields: { ETag: TAG, 'Cache-Control': FRESH } },
          expect: { status: 200, body: 1, fields: { ETag: TAG } },
        },
      ],
    },
    {
      id: 'tag-client-has-new',
      kind: 'optimal',
      says: 'A client that has what the origin now sends in place of the stored answer gets a 304 (RFC 9111, 4.3.2).',
      needs: ['tag-validates-strong'],
      steps: [
        { answer: { fields: STALE_TAGGED } },
        {
          request: { fields: { 'If-None-Match': '"two"' } },
          answer: { fields: { ETag: '"two"', 'Cache-Control': FRESH } },
          expect: { status: 304, fields: { ETag: '"two"' } },
        },
      ],
    },
    {
      id: 'tag-replaced',
      kind: 'required',
      says: 'A full answer to a validation takes the place of what was stored (RFC 9111, 4.3.3).',
      needs: ['tag-validates-strong'],
      steps: [
        { answer: { fields: STALE_TAGGED } },
        { answer: { fields: { ETag: '"two"', 'Cache-Control': FRESH } }, expect: { from: 'origin', status: 200 } },
        { expect: { from: 'cache', body: 2, fields: { ETag: '"two"' } } },
      ],
    },
    {
      id: 'tag-nothing-stored',
      kind: 'check',
      wanted: 'free',
      says: 'Where nothing is stored, the condition of a client is passed on (RFC 9111, 4.3.2).',
      steps: [
        {
          request: { fields: { 'If-None-Match': TAG } },
          answer: { status: 304, fields: { ETag: TAG }, otherwise: { fields: { ETag: TAG } } },
          expect: { origin: { fields: { 'If-None-Match': TAG } } },
        },
      ],
    },
    {
      id: 'tag-nothing-stored-304',
      kind: 'required',
      says: 'Where nothing is stored, a client with the current tag gets a 304 nevertheless (RFC 9110, 13.1.2).',
      steps: [
        {
          request: { fields: { 'If-None-Match': TAG } },
          answer: {
            status: 304,
            fields: { ETag: TAG, 'Cache-Control': 'private' },
            otherwise: { fields: { ETag: TAG, 'Cache-Control': 'private' } },
          },
          expect: { status: 304, body: '', fields: { ETag: TAG } },
        },
      ],
    },
  ],
}

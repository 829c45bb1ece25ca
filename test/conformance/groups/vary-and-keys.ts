import type { Asked, Behaviour, Fields, Group } from '../behaviour.ts'
import { FRESH, inSeconds, notReusedFor, reusedFor, TAG } from '../shapes.ts'

const by = (vary: string | readonly string[]): Fields => ({ 'Cache-Control': FRESH, Vary: vary })
const asking = (fields: Fields): Asked => ({ fields })

interface Row {
  readonly name: string
  readonly says: string
  readonly vary: string | readonly string[]
  readonly first: Fields
  readonly second: Fields
}

const DIFFERENT: readonly Row[] = [
  { name: 'other', says: 'with another value', vary: 'Tune', first: { Tune: 'a' }, second: { Tune: 'b' } },
  { name: 'gone', says: 'without the field', vary: 'Tune', first: { Tune: 'a' }, second: {} },
  { name: 'come', says: 'with the field where it was absent', vary: 'Tune', first: {}, second: { Tune: 'a' } },
  { name: 'case', says: 'with a value in another case', vary: 'Tune', first: { Tune: 'a' }, second: { Tune: 'A' } },
  {
    name: 'second-of-two',
    says: 'with another value of the second of two fields',
    vary: 'Tune, Key',
    first: { Tune: 'a', Key: '1' },
    second: { Tune: 'a', Key: '2' },
  },
  {
    name: 'first-of-two',
    says: 'with another value of the first of two fields',
    vary: 'Tune, Key',
    first: { Tune: 'a', Key: '1' },
    second: { Tune: 'b', Key: '1' },
  },
  {
    name: 'third-of-three',
    says: 'without the third of three fields',
    vary: 'Tune, Key, Mode',
    first: { Tune: 'a', Key: '1', Mode: 'x' },
    second: { Tune: 'a', Key: '1' },
  },
  {
    name: 'members-swapped',
    says: 'with the members of a value in another order',
    vary: 'Tune',
    first: { Tune: 'a, b' },
    second: { Tune: 'b, a' },
  },
  {
    name: 'line-more',
    says: 'with a second line',
    vary: 'Tune',
    first: { Tune: 'a' },
    second: { Tune: ['a', 'b'] },
  },
]

const SAME: readonly Row[] = [
  { name: 'same', says: 'with the same value', vary: 'Tune', first: { Tune: 'a' }, second: { Tune: 'a' } },
  { name: 'both-absent', says: 'without the field, as the first', vary: 'Tune', first: {}, second: {} },
  {
    name: 'name-case',
    says: 'whose field name is in another case',
    vary: 'tUNE',
    first: { Tune: 'a' },
    second: { TUNE: 'a' },
  },
  {
    name: 'two-same',
    says: 'with the same values of two fields, in another order',
    vary: 'Key, Tune',
    first: { Tune: 'a', Key: '1' },
    second: { Key: '1', Tune: 'a' },
  },
  {
    name: 'not-named',
    says: 'with another value of a field that Vary does not name',
    vary: 'Tune',
    first: { Tune: 'a', Key: '1' },
    second: { Tune: 'a', Key: '2' },
  },
  {
    name: 'lines-joined',
    says: 'with two lines in one',
    vary: 'Tune',
    first: { Tune: ['a', 'b'] },
    second: { Tune: 'a, b' },
  },
  {
    name: 'comma-spaces',
    says: 'with other white space around commas',
    vary: 'Tune',
    first: { Tune: 'a,b' },
    second: { Tune: 'a ,  b' },
  },
  {
    name: 'language-case',
    says: 'with languages in another case',
    vary: 'Accept-Language',
    first: { 'Accept-Language': 'en, de-AT' },
    second: { 'Accept-Language': 'EN, de-at' },
  },
  {
    name: 'language-spaces',
    says: 'with languages in other white space',
    vary: 'Accept-Language',
    first: { 'Accept-Language': 'en, de' },
    second: { 'Accept-Language': 'en,de' },
  },
]

const different = ({ name, says, vary, first, second }: Row): Behaviour => ({
  id: `vary-${name}`,
  kind: 'required',
  says: `An answer is not reused for a request ${says} (RFC 9111, 4.1).`,
  needs: ['vary-same'],
  steps: notReusedFor(asking(first), asking(second), by(vary)),
})

const same = ({ name, says, vary, first, second }: Row): Behaviour => ({
  id: `vary-${name}`,
  kind: 'optimal',
  says: `An answer is reused for a request ${says} (RFC 9111, 4.1).`,
  ...(name === 'same' ? {} : { needs: ['vary-other'] }),
  steps: reusedFor(asking(first), asking(second), by(vary)),
})

/** Which of several answers of one URI is the right one. */
export const varyAndKeys: Group = {
  name: 'Vary and keys',
  behaviours: [
    ...DIFFERENT.map(different),
    ...SAME.map(same),
    {
      id: 'vary-two-variants',
      kind: 'optimal',
      says: 'Two variants of one URI are kept side by side (RFC 9111, 4.1).',
      needs: ['vary-other'],
      steps: [
        { request: asking({ Tune: 'a' }), answer: { fields: by('Tune') } },
        { request: asking({ Tune: 'b' }), expect: { from: 'origin' } },
        { request: asking({ Tune: 'a' }), expect: { from: 'cache', body: 1 } },
        { request: asking({ Tune: 'b' }), expect: { from: 'cache', body: 2 } },
      ],
    },
    {
      id: 'vary-own-names',
      kind: 'optimal',
      says: 'Each of two stored answers is judged by its own Vary (RFC 9111, 4.1).',
      needs: ['vary-two-variants'],
      steps: [
        { request: asking({ Tune: 'a' }), answer: { fields: by('Tune') } },
        { request: asking({ Tune: 'b', Key: '9' }), answer: { fields: by('Tune, Key') }, expect: { from: 'origin' } },
        { request: asking({ Tune: 'a', Key: '7' }), expect: { from: 'cache', body: 1 } },
        { request: asking({ Tune: 'b', Key: '9' }), expect: { from: 'cache', body: 2 } },
      ],
    },
    {
      id: 'vary-own-names-other',
      kind: 'required',
      says: 'A stored answer with more names in its Vary is not reused where one of them differs (RFC 9111, 4.1).',
      needs: ['vary-own-names'],
      steps: [
        { request: asking({ Tune: 'a' }), answer: { fields: by('Tune') } },
        { request: asking({ Tune: 'b', Key: '9' }), answer: { fields: by('Tune, Key') }, expect: { from: 'origin' } },
        { request: asking({ Tune: 'b', Key: '8' }), expect: { from: 'origin' } },
      ],
    },
    {
      id: 'vary-newer-matching',
      kind: 'check',
      wanted: 'yes',
      says: 'Of two matching answers the newer is chosen, here the one with Vary (RFC 9111, 4.1).',
      needs: ['vary-same', 'ask-no-cache'],
      steps: [
        { request: asking({ Tune: 'a' }), answer: { fields: { 'Cache-Control': FRESH, Date: inSeconds(-60) } } },
        {
          request: asking({ Tune: 'a', 'Cache-Control': 'no-cache' }),
          answer: { fields: by('Tune') },
          expect: { from: 'origin' },
        },
        { request: asking({ Tune: 'a' }), expect: { from: 'cache', body: 2 } },
      ],
    },
    {
      id: 'vary-empty-absent',
      kind: 'check',
      wanted: 'no',
      says: 'An empty field counts as an absent one (RFC 9111, 4.1).',
      needs: ['vary-both-absent'],
      steps: reusedFor(asking({}), asking({ Tune: '' }), by('Tune')),
    },
    {
      id: 'vary-language-order',
      kind: 'check',
      wanted: 'no',
      says: 'The order of languages of equal weight makes no difference (RFC 9110, 12.5.4: an origin may go by it).',
      needs: ['vary-same'],
      steps: reusedFor(
        asking({ 'Accept-Language': 'en, de' }),
        asking({ 'Accept-Language': 'de, en' }),
        by('Accept-Language'),
      ),
    },
    {
      id: 'vary-language-weight',
      kind: 'check',
      wanted: 'no',
      says: 'A variant is chosen by its Content-Language and the weights of the request (RFC 9111, 4.1 permits it).',
      needs: ['vary-same'],
      steps: reusedFor(asking({ 'Accept-Language': 'de' }), asking({ 'Accept-Language': 'fr;q=0.5, de;q=1' }), {
        ...by('Accept-Language'),
        'Content-Language': 'de',
      }),
    },
    {
      id: 'vary-offers-tags',
      kind: 'check',
      wanted: 'free',
      says: 'Where no variant matches, the tags of the others are offered to the origin (RFC 9111, 4.1).',
      needs: ['vary-other'],
      steps: [
        { request: asking({ Tune: 'a' }), answer: { fields: { ...by('Tune'), ETag: TAG } } },
        {
          request: asking({ Tune: 'b' }),
          answer: { fields: { ...by('Tune'), ETag: '"two"' } },
          expect: { from: 'origin', origin: { fields: { 'If-None-Match': /"one"/ } } },
        },
      ],
    },
    {
      id: 'vary-passed-on',
      kind: 'required',
      says: 'The fields that Vary names reach the origin in a validation (RFC 9111, 4.3.1).',
      steps: [
        {
          request: asking({ Tune: 'a' }),
          answer: { fields: { 'Cache-Control': 'max-age=10', Age: '20', Vary: 'Tune', ETag: TAG } },
        },
        {
          request: asking({ Tune: 'a' }),
          answer: { status: 304, fields: { ETag: TAG } },
          expect: { status: 200, origin: { fields: { Tune: 'a' } } },
        },
      ],
    },
    {
      id: 'vary-replayed',
      kind: 'required',
      says: 'A reused answer still says what it varies by (RFC 9111, 3.1).',
      needs: ['vary-same'],
      steps: reusedFor(asking({ Tune: 'a' }), asking({ Tune: 'a' }), by('Tune'), { fields: { Vary: 'Tune' } }),
    },
  ],
}

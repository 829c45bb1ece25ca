import type { Behaviour, Group } from '../behaviour.ts'
import { FRESH, notReused, reusedFor } from '../shapes.ts'

const STARS: readonly (readonly [name: string, vary: string | readonly string[], says: string])[] = [
  ['star', '*', 'A star never matches'],
  ['star-last', 'Tune, *', 'A star behind a name never matches'],
  ['star-first', '*, Tune', 'A star before a name never matches'],
  ['star-twice', '*, *', 'Two stars never match'],
  ['star-line', ['Tune', '*'], 'A star on a second line never matches'],
  ['star-first-line', ['*', 'Tune'], 'A star on the first of two lines never matches'],
  ['star-empty-before', ', *', 'A star behind an empty member never matches'],
  ['star-empty-behind', '*,,', 'A star before empty members never matches'],
]

/** What Vary names. */
export const varyParsing: Group = {
  name: 'Vary parsing',
  behaviours: [
    ...STARS.map(
      ([name, vary, says]): Behaviour => ({
        id: `vary-${name}`,
        kind: 'required',
        says: `${says} (RFC 9111, 4.1; RFC 9110, 12.5.5).`,
        steps: notReused({ 'Cache-Control': FRESH, Vary: vary }),
      }),
    ),
    {
      id: 'vary-lines',
      kind: 'required',
      says: 'Names on two lines are one list: the second counts (RFC 9110, 5.3).',
      needs: ['vary-lines-same'],
      steps: [
        {
          request: { fields: { Tune: 'a', Key: '1' } },
          answer: { fields: { 'Cache-Control': FRESH, Vary: ['Tune', 'Key'] } },
        },
        { request: { fields: { Tune: 'a', Key: '2' } }, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'vary-lines-first',
      kind: 'required',
      says: 'Names on two lines are one list: the first counts (RFC 9110, 5.3).',
      needs: ['vary-lines-same'],
      steps: [
        {
          request: { fields: { Tune: 'a', Key: '1' } },
          answer: { fields: { 'Cache-Control': FRESH, Vary: ['Tune', 'Key'] } },
        },
        { request: { fields: { Tune: 'b', Key: '1' } }, expect: { from: 'origin' } },
      ],
    },
    {
      id: 'vary-lines-same',
      kind: 'optimal',
      says: 'Names on two lines are one list: where all match, the answer is reused (RFC 9110, 5.3).',
      steps: reusedFor(
        { fields: { Tune: 'a', Key: '1' } },
        { fields: { Tune: 'a', Key: '1' } },
        { 'Cache-Control': FRESH, Vary: ['Tune', 'Key'] },
      ),
    },
    {
      id: 'vary-empty-members',
      kind: 'optimal',
      says: 'Empty members of the list are ignored (RFC 9110, 5.6.1.2).',
      needs: ['vary-other'],
      steps: reusedFor(
        { fields: { Tune: 'a' } },
        { fields: { Tune: 'a' } },
        { 'Cache-Control': FRESH, Vary: ', Tune ,,' },
      ),
    },
    {
      id: 'vary-empty-members-other',
      kind: 'required',
      says: 'A name among empty members counts (RFC 9110, 5.6.1.2).',
      needs: ['vary-empty-members'],
      steps: [
        { request: { fields: { Tune: 'a' } }, answer: { fields: { 'Cache-Control': FRESH, Vary: ', Tune ,,' } } },
        { request: { fields: { Tune: 'b' } }, expect: { from: 'origin' } },
      ],
    },
  ],
}

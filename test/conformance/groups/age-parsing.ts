import type { Behaviour, Group } from '../behaviour.ts'
import { FRESH, notReused, reused } from '../shapes.ts'

interface Row {
  readonly name: string
  readonly age: string | readonly string[]
  readonly says: string
}

const OLD: readonly Row[] = [
  { name: 'first-line-old', age: ['7200', '0'], says: 'Of two lines the first counts, here a large one' },
  { name: 'first-member-old', age: '7200, 0', says: 'Of a list the first member counts, here a large one' },
  { name: 'same-twice-old', age: ['7200', '7200'], says: 'Two equal lines are one, here of a large value' },
  { name: '2147483648', age: '2147483648', says: 'Two to the power of 31 is very old' },
  { name: '4294967297', age: '4294967297', says: 'A little more than two to the power of 32 is very old' },
  { name: '99999999999', age: '99999999999', says: 'Eleven digits are very old' },
  { name: 'twenty-digits', age: '99999999999999999999', says: 'Twenty digits are very old' },
  { name: 'leading-zeros', age: '0007200', says: 'Leading zeros do not change a number' },
]

const IGNORED: readonly Row[] = [
  { name: 'letters', age: 'yesterday', says: 'A word is no age' },
  { name: 'letters-behind', age: '7200s', says: 'A number with a unit is no age' },
  { name: 'letters-before', age: 'a7200', says: 'A number behind a letter is no age' },
  { name: 'negative', age: '-7200', says: 'A number below zero is no age' },
  { name: 'plus', age: '+7200', says: 'A number with a plus is no age' },
  { name: 'decimal', age: '7200.5', says: 'A decimal is no age' },
]

const old = ({ name, age, says }: Row): Behaviour => ({
  id: `age-${name}`,
  kind: 'required',
  says: `${says} (RFC 9111, 5.1 and 1.2.2).`,
  steps: notReused({ 'Cache-Control': FRESH, Age: age }),
})

const ignored = ({ name, age, says }: Row): Behaviour => ({
  id: `age-${name}`,
  kind: 'required',
  says: `${says}, and the field is ignored (RFC 9111, 5.1).`,
  needs: ['fresh-age-counts'],
  steps: reused({ 'Cache-Control': FRESH, Age: age }),
})

/** What an incoming Age says. */
export const ageParsing: Group = {
  name: 'Age parsing',
  behaviours: [
    ...OLD.map(old),
    ...IGNORED.map(ignored),
    {
      id: 'age-first-line-young',
      kind: 'required',
      says: 'Of two lines the first counts, here a small one (RFC 9111, 5.1).',
      needs: ['fresh-age-counts'],
      steps: reused({ 'Cache-Control': FRESH, Age: ['0', '7200'] }),
    },
    {
      id: 'age-first-member-young',
      kind: 'required',
      says: 'Of a list the first member counts, here a small one (RFC 9111, 5.1).',
      needs: ['fresh-age-counts'],
      steps: reused({ 'Cache-Control': FRESH, Age: '0, 7200' }),
    },
    {
      id: 'age-same-twice-young',
      kind: 'required',
      says: 'Two equal lines are one, here of a small value (RFC 9111, 5.1).',
      needs: ['fresh-age-counts'],
      steps: reused(
        { 'Cache-Control': FRESH, Age: ['30', '30'] },
        {},
        { fields: { Age: { atLeast: 30, atMost: 59 } } },
      ),
    },
    {
      id: 'age-parameter',
      kind: 'check',
      wanted: 'no',
      says: 'A number with a parameter counts as an age (RFC 9111, 5.1: it is invalid).',
      steps: notReused({ 'Cache-Control': FRESH, Age: '7200;exact' }),
    },
    {
      id: 'age-parameter-spaced',
      kind: 'check',
      wanted: 'no',
      says: 'A number with white space and a parameter counts as an age (RFC 9111, 5.1: it is invalid).',
      steps: notReused({ 'Cache-Control': FRESH, Age: '7200 ; exact=1' }),
    },
  ],
}

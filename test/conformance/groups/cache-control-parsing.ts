import type { Behaviour, Group } from '../behaviour.ts'
import { notReused, reused } from '../shapes.ts'

const INVALID = [
  ['decimal', 'max-age=3600.0', 'A decimal'],
  ['letters-behind', 'max-age=3600s', 'A number with a unit behind it'],
  ['letters-before', 'max-age=a3600', 'A number behind a letter'],
  ['exponent', 'max-age=36e2', 'A number with an exponent'],
  ['single-quotes', "max-age='3600'", 'A number in single quotes'],
  ['space-before-equals', 'max-age =3600', 'A number after white space and an equals sign'],
  ['space-behind-equals', 'max-age= 3600', 'A number after an equals sign and white space'],
] as const

const invalid: readonly Behaviour[] = INVALID.map(([name, value, what]) => ({
  id: `parse-${name}`,
  kind: 'check',
  wanted: 'no',
  says: `${what} counts as max-age (RFC 9111, 4.2.1 encourages caches to regard such an answer as stale).`,
  steps: reused({ 'Cache-Control': value }),
}))

/** What is a directive, and what is its value. */
export const cacheControlParsing: Group = {
  name: 'Cache-Control parsing',
  behaviours: [
    {
      id: 'parse-max-age-in-quotes',
      kind: 'required',
      says: 'A directive inside the quoted value of another one is none (RFC 9111, 5.2).',
      steps: notReused({ 'Cache-Control': 'weather="fine, max-age=3600, warm"' }),
    },
    {
      id: 'parse-escaped-quote',
      kind: 'required',
      says: 'An escaped quote does not end a quoted value (RFC 9110, 5.6.4).',
      steps: notReused({ 'Cache-Control': 'weather="fine\\", max-age=3600, \\"warm"' }),
    },
    {
      id: 'parse-max-age-in-name',
      kind: 'required',
      says: 'A directive whose name ends in max-age is another directive (RFC 9111, 5.2).',
      steps: notReused({ 'Cache-Control': 'x-max-age=3600' }),
    },
    {
      id: 'parse-no-store-in-quotes',
      kind: 'optimal',
      says: 'no-store inside the quoted value of another directive forbids nothing (RFC 9111, 5.2).',
      steps: reused({ 'Cache-Control': 'weather="fine, no-store, private", max-age=3600' }),
    },
    {
      id: 'parse-single-quotes-do-not-quote',
      kind: 'optimal',
      says: 'A comma between single quotes separates directives (RFC 9110, 5.6.4).',
      steps: reused({ 'Cache-Control': "weather='fine, max-age=3600, warm'" }),
    },
    {
      id: 'parse-leading-zeros',
      kind: 'required',
      says: 'Leading zeros do not change a number (RFC 9111, 1.2.2).',
      steps: reused({ 'Cache-Control': 'max-age=0003600' }),
    },
    {
      id: 'parse-empty-members',
      kind: 'optimal',
      says: 'Empty members of the list are ignored (RFC 9110, 5.6.1.2).',
      steps: reused({ 'Cache-Control': ', ,max-age=3600,, ,' }),
    },
    {
      id: 'parse-empty-members-no-store',
      kind: 'required',
      says: 'no-store is found among empty members of the list (RFC 9110, 5.6.1.2).',
      steps: notReused({ 'Cache-Control': ',, no-store , ,max-age=3600' }),
    },
    {
      id: 'parse-tabs',
      kind: 'optimal',
      says: 'A tab is white space as good as any between directives (RFC 9110, 5.6.3).',
      steps: reused({ 'Cache-Control': 'public\t,\tmax-age=3600' }),
    },
    {
      id: 'parse-quoted-number',
      kind: 'check',
      wanted: 'yes',
      says: 'The quoted form of a number is accepted (RFC 9111, 5.2).',
      steps: reused({ 'Cache-Control': 'max-age="3600"' }),
    },
    ...invalid,
    {
      id: 'parse-no-value',
      kind: 'check',
      wanted: 'no',
      says: 'max-age without a value gives freshness (RFC 9111, 4.2.1).',
      steps: reused({ 'Cache-Control': 'max-age' }),
    },
    {
      id: 'parse-unterminated-quote',
      kind: 'check',
      wanted: 'no',
      says: 'An answer whose Cache-Control ends within quotes is reused (RFC 9110, 5.6.4).',
      steps: reused({ 'Cache-Control': 'max-age=3600, weather="fine' }),
    },
    {
      id: 'parse-repeated-short-long',
      kind: 'check',
      wanted: 'no',
      says: 'The second of two max-age counts (RFC 9111, 4.2.1: the first, or stale).',
      steps: reused({ 'Cache-Control': 'max-age=5, max-age=3600', Age: '10' }),
    },
    {
      id: 'parse-repeated-short-long-lines',
      kind: 'check',
      wanted: 'no',
      says: 'The second of two max-age on two lines counts (RFC 9111, 4.2.1: the first, or stale).',
      steps: reused({ 'Cache-Control': ['max-age=5', 'max-age=3600'], Age: '10' }),
    },
    {
      id: 'parse-repeated-long-short',
      kind: 'check',
      wanted: 'free',
      says: 'The first of two max-age counts (RFC 9111, 4.2.1: that, or stale).',
      steps: reused({ 'Cache-Control': 'max-age=3600, max-age=5', Age: '10' }),
    },
    {
      id: 'parse-repeated-equal',
      kind: 'check',
      wanted: 'yes',
      says: 'Twice the same max-age is one (RFC 9111, 4.2.1).',
      steps: reused({ 'Cache-Control': ['max-age=3600', 'max-age=3600'] }),
    },
    {
      id: 'parse-no-store-with-value',
      kind: 'check',
      wanted: 'no',
      says: 'An answer whose no-store has a value is reused (RFC 9111, 5.2.2.5).',
      steps: reused({ 'Cache-Control': 'no-store=maybe, max-age=3600' }),
    },
  ],
}

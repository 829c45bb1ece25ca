import type { Behaviour, Group } from '../behaviour.ts'
import { inSeconds, notReused, reused } from '../shapes.ts'

const LARGE = ['2147483647', '2147483648', '2147483649', '99999999999', '99999999999999999999']

const prolonged: readonly Behaviour[] = [
  ['fresh-s-maxage-long', 'max-age=1, s-maxage=3600', 'a longer s-maxage beats max-age'],
  ['fresh-s-maxage-long-first', 's-maxage=3600, max-age=1', 'a longer s-maxage beats max-age in front of it'],
  ['fresh-s-maxage-long-over-zero', 'max-age=0, s-maxage=3600', 's-maxage prolongs an answer with max-age=0'],
].map(([id = '', value = '', says = '']) => ({
  id,
  kind: 'optimal',
  says: `For a shared cache ${says} (RFC 9111, 5.2.2.10).`,
  steps: reused({ 'Cache-Control': value, Age: '10' }),
}))

const shortened: readonly Behaviour[] = [
  ['fresh-s-maxage-short', ['max-age=3600, s-maxage=5'], 'a shorter s-maxage beats max-age'],
  ['fresh-s-maxage-short-first', ['s-maxage=5, max-age=3600'], 'a shorter s-maxage in front beats max-age'],
  [
    'fresh-s-maxage-short-line',
    ['max-age=3600', 's-maxage=5'],
    'a shorter s-maxage on a line of its own beats max-age',
  ],
  ['fresh-s-maxage-zero', ['s-maxage=0, max-age=3600'], 's-maxage=0 is stale at once'],
].map(([id, lines, says]) => ({
  id: String(id),
  kind: 'required',
  says: `For a shared cache ${String(says)} (RFC 9111, 5.2.2.10).`,
  steps: notReused({ 'Cache-Control': lines ?? [], Age: '10' }),
}))

/** How long an answer is fresh by its Cache-Control. */
export const cacheControlFreshness: Group = {
  name: 'Cache-Control freshness',
  behaviours: [
    {
      id: 'fresh-none',
      kind: 'required',
      says: 'An answer without explicit freshness and without a basis for a heuristic is not reused (RFC 9111, 4.2).',
      steps: notReused({}),
    },
    {
      id: 'fresh-max-age',
      kind: 'required',
      says: 'An answer is reused within its max-age (RFC 9111, 5.2.2.1).',
      steps: reused({ 'Cache-Control': 'max-age=3600' }),
    },
    {
      id: 'fresh-max-age-over',
      kind: 'required',
      says: 'An answer is not reused past its max-age (RFC 9111, 4.2).',
      steps: [{ answer: { fields: { 'Cache-Control': 'max-age=2' } } }, { wait: 3.2, expect: { from: 'origin' } }],
    },
    {
      id: 'fresh-max-age-zero',
      kind: 'required',
      says: 'An answer with max-age=0 is stale at once (RFC 9111, 4.2).',
      steps: notReused({ 'Cache-Control': 'max-age=0' }),
    },
    {
      id: 'fresh-max-age-negative',
      kind: 'required',
      says: 'A negative max-age is no lifetime (RFC 9111, 1.2.2 and 4.2.1).',
      steps: notReused({ 'Cache-Control': 'max-age=-3600' }),
    },
    {
      id: 'fresh-age-counts',
      kind: 'required',
      says: 'The Age that an answer arrives with counts against its lifetime (RFC 9111, 4.2.3).',
      steps: notReused({ 'Cache-Control': 'max-age=3600', Age: '3601' }),
    },
    {
      id: 'fresh-age-leaves-rest',
      kind: 'optimal',
      says: 'An answer that arrives with an Age below its lifetime is reused (RFC 9111, 4.2.3).',
      steps: reused({ 'Cache-Control': 'max-age=3600', Age: '1800' }),
    },
    ...shortened.map((behaviour) => ({ ...behaviour, needs: ['fresh-age-leaves-rest'] })),
    ...prolonged,
    {
      id: 'fresh-s-maxage-long-line',
      kind: 'optimal',
      says: 'For a shared cache a longer s-maxage on a line of its own beats max-age (RFC 9111, 5.2.2.10).',
      steps: reused({ 'Cache-Control': ['s-maxage=3600', 'max-age=1'], Age: '10' }),
    },
    {
      id: 'fresh-s-maxage-long-over-expires',
      kind: 'optimal',
      says: 'For a shared cache s-maxage prolongs an answer that has expired (RFC 9111, 5.2.2.10 and 5.3).',
      steps: reused({ 'Cache-Control': 's-maxage=3600', Expires: inSeconds(-3600) }),
    },
    {
      id: 'fresh-max-age-short-over-expires',
      kind: 'required',
      says: 'A shorter max-age beats Expires (RFC 9111, 5.3).',
      needs: ['expires-future'],
      steps: notReused({ 'Cache-Control': 'max-age=5', Expires: inSeconds(3600), Age: '10' }),
    },
    {
      id: 'fresh-max-age-zero-after-expires',
      kind: 'required',
      says: 'max-age=0 beats an Expires in front of it (RFC 9111, 5.3).',
      needs: ['expires-future'],
      steps: notReused({ Expires: inSeconds(3600), 'Cache-Control': 'max-age=0' }),
    },
    {
      id: 'fresh-max-age-long-over-expires',
      kind: 'optimal',
      says: 'A longer max-age beats an Expires in the past (RFC 9111, 5.3).',
      steps: reused({ 'Cache-Control': 'max-age=3600', Expires: inSeconds(-3600) }),
    },
    {
      id: 'fresh-max-age-over-invalid-expires',
      kind: 'optimal',
      says: 'With max-age an Expires of 0 is ignored (RFC 9111, 5.3).',
      steps: reused({ 'Cache-Control': 'max-age=3600', Expires: '0' }),
    },
    ...LARGE.map(
      (value): Behaviour => ({
        id: `fresh-max-age-${value}`,
        kind: 'optimal',
        says: `max-age=${value} is a very long time (RFC 9111, 1.2.2).`,
        steps: reused({ 'Cache-Control': `max-age=${value}` }),
      }),
    ),
    {
      id: 'fresh-any-case',
      kind: 'optimal',
      says: 'Directive names are compared without regard to case (RFC 9111, 5.2).',
      steps: reused({ 'Cache-Control': 'mAx-AgE=3600' }),
    },
    {
      id: 'fresh-unknown-directives',
      kind: 'optimal',
      says: 'Directives that nobody knows are skipped (RFC 9111, 5.2.3).',
      steps: reused({ 'Cache-Control': 'weather=fine, max-age=3600, sunny, wind="light, east"' }),
    },
    {
      id: 'fresh-apparent-age',
      kind: 'check',
      wanted: 'yes',
      says: 'A Date in the past ages an answer although it has no Age (RFC 9111, 4.2.3).',
      steps: notReused({ Date: inSeconds(-7200), 'Cache-Control': 'max-age=3600' }),
    },
    {
      id: 'fresh-apparent-age-shown',
      kind: 'check',
      wanted: 'yes',
      says: 'The Age of a reused answer includes the age that its Date shows (RFC 9111, 4.2.3).',
      steps: reused(
        { Date: inSeconds(-1800), 'Cache-Control': 'max-age=3600' },
        {},
        // Date names a second: up to one less is as right.
        { fields: { Age: { atLeast: 1799, atMost: 1830 } } },
      ),
    },
  ],
}

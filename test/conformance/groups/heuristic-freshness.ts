import type { Behaviour, Group } from '../behaviour.ts'
import { inSeconds, notReused, OLD, reused } from '../shapes.ts'

const BY_DEFAULT = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]
const NOT_BY_DEFAULT = [201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599]
const WHEN_PUBLIC = [201, 202, 302, 403, 503, 599]

/** When a lifetime may be guessed. */
export const heuristicFreshness: Group = {
  name: 'heuristic freshness',
  behaviours: [
    ...BY_DEFAULT.map(
      (status): Behaviour => ({
        id: `guess-${status}`,
        kind: 'optimal',
        says: `A ${status} that was modified long ago is reused (RFC 9111, 4.2.2; RFC 9110, 15.1).`,
        steps: reused({ 'Last-Modified': OLD }, { status }),
      }),
    ),
    ...NOT_BY_DEFAULT.map(
      (status): Behaviour => ({
        id: `guess-not-${status}`,
        kind: 'required',
        says: `A ${status} is not reused on a guess (RFC 9111, 3 and 4.2.2; RFC 9110, 15.1).`,
        needs: ['guess-200'],
        steps: notReused({ 'Last-Modified': OLD }, { status }),
      }),
    ),
    ...WHEN_PUBLIC.map(
      (status): Behaviour => ({
        id: `guess-public-${status}`,
        kind: 'optimal',
        says: `A ${status} that is public and was modified long ago is reused (RFC 9111, 4.2.2).`,
        needs: [`guess-not-${status}`],
        steps: reused({ 'Last-Modified': OLD, 'Cache-Control': 'public' }, { status }),
      }),
    ),
    {
      id: 'guess-451',
      kind: 'check',
      wanted: 'yes',
      says: 'A 451 that was modified long ago is reused (RFC 7725, 3).',
      steps: reused({ 'Last-Modified': OLD }, { status: 451 }),
    },
    {
      id: 'guess-query',
      kind: 'check',
      wanted: 'yes',
      says: 'A query in the URI does not keep a cache from guessing (RFC 9111, 4.2.2).',
      steps: [
        { request: { at: '?a=1' }, answer: { fields: { 'Last-Modified': OLD } } },
        { request: { at: '?a=1' }, expect: { from: 'cache' } },
      ],
    },
    {
      id: 'guess-tenth',
      kind: 'check',
      wanted: 'yes',
      says: 'A guess is at most a tenth of the time since the modification (RFC 9111, 4.2.2).',
      needs: ['guess-200'],
      steps: notReused({ 'Last-Modified': inSeconds(-36_000), Age: '5000' }),
    },
    {
      id: 'guess-within-tenth',
      kind: 'check',
      wanted: 'yes',
      says: 'An answer is reused within a tenth of the time since the modification (RFC 9111, 4.2.2).',
      steps: reused({ 'Last-Modified': inSeconds(-36_000), Age: '1000' }),
    },
    {
      id: 'guess-at-most-a-day',
      kind: 'check',
      wanted: 'free',
      says: 'A guess is no longer than a day (RFC 9111, 4.2.2 leaves it to the cache).',
      needs: ['guess-200'],
      steps: notReused({ 'Last-Modified': OLD, Age: '90000' }),
    },
    {
      id: 'guess-modified-ahead',
      kind: 'check',
      wanted: 'no',
      says: 'An answer that will have been modified later is reused on a guess (RFC 9111, 4.2.2).',
      needs: ['guess-200'],
      steps: reused({ 'Last-Modified': inSeconds(36_000) }),
    },
    {
      id: 'guess-modified-never',
      kind: 'check',
      wanted: 'no',
      says: 'A Last-Modified that is no date is a basis for a guess (RFC 9111, 4.2.2).',
      needs: ['guess-200'],
      steps: reused({ 'Last-Modified': 'long ago' }),
    },
    {
      id: 'guess-not-over-max-age',
      kind: 'required',
      says: 'Nothing is guessed where max-age says zero (RFC 9111, 4.2.2).',
      needs: ['guess-200'],
      steps: notReused({ 'Last-Modified': OLD, 'Cache-Control': 'max-age=0' }),
    },
    {
      id: 'guess-not-over-expires',
      kind: 'required',
      says: 'Nothing is guessed where Expires says that it is over (RFC 9111, 4.2.2).',
      needs: ['guess-200'],
      steps: notReused({ 'Last-Modified': OLD, Expires: inSeconds(-60) }),
    },
    {
      id: 'guess-not-over-invalid-expires',
      kind: 'required',
      says: 'Nothing is guessed where Expires is no date (RFC 9111, 4.2.2 and 5.3).',
      needs: ['guess-200'],
      steps: notReused({ 'Last-Modified': OLD, Expires: '0' }),
    },
    {
      id: 'guess-not-no-store',
      kind: 'required',
      says: 'Nothing is guessed where no-store forbids storing (RFC 9111, 3).',
      needs: ['guess-200'],
      steps: notReused({ 'Last-Modified': OLD, 'Cache-Control': 'no-store' }),
    },
  ],
}

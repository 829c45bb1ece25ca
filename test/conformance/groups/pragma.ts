import type { Group } from '../behaviour.ts'
import { FRESH, notReusedFor, OLD, reused, reusedFor } from '../shapes.ts'

/** What is left of Pragma. */
export const pragma: Group = {
  name: 'Pragma',
  behaviours: [
    {
      id: 'pragma-asked',
      kind: 'check',
      wanted: 'yes',
      says: 'A request with Pragma: no-cache and without Cache-Control reaches the origin (RFC 9111, 5.4).',
      steps: notReusedFor({}, { fields: { Pragma: 'no-cache' } }, { 'Cache-Control': FRESH }),
    },
    {
      id: 'pragma-asked-beside-cache-control',
      kind: 'check',
      wanted: 'yes',
      says: 'Pragma is ignored in a request that has Cache-Control (RFC 9111, 5.4).',
      steps: reusedFor({}, { fields: { Pragma: 'no-cache', 'Cache-Control': FRESH } }, { 'Cache-Control': FRESH }),
    },
    {
      id: 'pragma-asked-unknown',
      kind: 'check',
      wanted: 'yes',
      says: 'Another value of Pragma in a request means nothing (RFC 9111, 5.4).',
      steps: reusedFor({}, { fields: { Pragma: 'weather=fine' } }, { 'Cache-Control': FRESH }),
    },
    {
      id: 'pragma-answered',
      kind: 'check',
      wanted: 'yes',
      says: 'Pragma: no-cache in an answer with explicit freshness means nothing (RFC 9111, 5.4).',
      steps: reused({ 'Cache-Control': FRESH, Pragma: 'no-cache' }),
    },
    {
      id: 'pragma-answered-unknown',
      kind: 'check',
      wanted: 'yes',
      says: 'Another value of Pragma in an answer means nothing (RFC 9111, 5.4).',
      steps: reused({ 'Cache-Control': FRESH, Pragma: 'weather=fine' }),
    },
    {
      id: 'pragma-answered-guess',
      kind: 'check',
      wanted: 'free',
      says: 'A lifetime is guessed for an answer with Pragma: no-cache (RFC 9111, 5.4 says nothing of answers).',
      needs: ['guess-200'],
      steps: reused({ 'Last-Modified': OLD, Pragma: 'no-cache' }),
    },
  ],
}

import { type Id, tagName } from '../names.ts'
import { defineStrategy, type Strategy } from '../strategy.ts'

/** What is aggregated, such as `'orders'`: a name of the application's. */
interface OfSubject {
  readonly subject: Id
}

interface During {
  readonly period?: string
}

/** The entities of the admin domain and their arguments. */
export interface AdminEntities {
  readonly dashboard: OfSubject & During
  readonly analytics: OfSubject & During
  /** Something that takes long to compute. */
  readonly report: OfSubject & During & { readonly filters?: Readonly<Record<string, unknown>> }
  readonly liveMetrics: OfSubject
}

/** What happens in the admin domain. */
export interface AdminEvents {
  /** A write to what is aggregated. */
  readonly subjectWritten: OfSubject
}

/** On everything that aggregates one subject. */
const all = (subject: Id): string => tagName('admin', subject)

/**
 * Figures for those who run the application: dashboards, analytics, reports, live metrics. They are for nobody else: on routes say
 * who may see them with a `scope`.
 *
 * Reports are expensive: those that are read often are loaded anew after 48 min. A write makes all wrong that aggregates its subject. Where that is too often, do not tell of each: figures are then as old as their
 * lifetime.
 */
export const admin: Strategy<AdminEntities, AdminEvents> = defineStrategy<AdminEntities, AdminEvents>({
  name: 'admin',
  entities: {
    dashboard: { ttl: '1m', by: ['subject'], private: true, tags: ({ subject }) => [all(subject)] },
    analytics: { ttl: '1h', by: ['subject'], private: true, tags: ({ subject }) => [all(subject)] },
    report: { ttl: '1h', refreshAhead: 0.8, by: ['subject'], private: true, tags: ({ subject }) => [all(subject)] },
    liveMetrics: { ttl: '5s', by: ['subject'], private: true, tags: ({ subject }) => [all(subject)] },
  },
  events: { subjectWritten: ({ subject }) => [all(subject)] },
})

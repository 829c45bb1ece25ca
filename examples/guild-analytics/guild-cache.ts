/** What makes it one cache in two programs: the web process and the bot name the same. */
export const CACHE = {
  namespace: 'guild-analytics',
  // A report costs more than a Redis that takes its time.
  deadlineMs: '500ms',
} as const

import type { Guard } from '../mutants.ts'

/** The guards of the queue; without any of them a run ends with a breach. */
export const QUEUE_MUTANTS: readonly Guard[] = [
  {
    name: 'earlysettle',
    guard: 'a write leaves the queue when it is saved, and not before',
    file: 'strategies/write-behind/drain-key.ts',
    find: 'await line.save(key, head)',
    replace: 'await backlog.settle(key, head.version)\n      await line.save(key, head)',
  },
  {
    name: 'lastfirst',
    guard: 'the writes of a key are saved in the order in which they were queued',
    file: 'strategies/write-behind/backlog-scripts.ts',
    find: "local length = redis.call('RPUSH', list, version .. ' ' .. payload)",
    replace: "local length = redis.call('LPUSH', list, version .. ' ' .. payload)",
  },
  {
    name: 'overtaking',
    guard: 'a write that has failed stays in front of those after it',
    file: 'strategies/write-behind/backlog-scripts.ts',
    find: "if count < tonumber(ARGV[4]) then return {'again', count} end",
    replace:
      "if count < tonumber(ARGV[4]) then\n  redis.call('LMOVE', list, list, 'LEFT', 'RIGHT')\n  return {'again', count}\nend",
  },
  {
    name: 'databasefirst',
    guard: 'a miss reads what is queued before the database',
    file: 'strategies/write-behind.ts',
    find: 'return queued === undefined ? this.#options.load(args, context)',
    replace: 'return queued === undefined || true ? this.#options.load(args, context)',
  },
]

/** Commands sent by the cache and its client: what the Redis user of a cache has to be allowed. */
export const SENT = ['eval', 'evalsha', 'info', 'mget', 'ping', 'publish', 'scan', 'subscribe', 'unlink'] as const

/** Commands run by the scripts, for which Redis asks the same user for rights. */
export const SCRIPTED: readonly string[] = [
  ...['del', 'get', 'getrange', 'hdel', 'hget', 'hincrby', 'hmget', 'hset', 'set', 'time'],
  ...['zadd', 'zcard', 'zrange', 'zrangebyscore', 'zrem', 'zremrangebyrank', 'zscore'],
]

/** Refusals that spoil one purpose only, which is none of those that entries depend on. */
const DISPENSABLE = /'(?:info|ping|publish|scan|subscribe|unlink)(?:\|\w+)?' command|\bchannels\b/
const IN_SCRIPT =
  /^(?:ERR )?(?:user_script:\d+: )?(?:ERR )?(?:The user executing the script can't|ACL failure in script)/

/** What is missing and how to grant it, for an answer that refuses what a cache cannot do without; undefined for any other. */
export function explainRefusal(answer: string, user: string): string | undefined {
  const isInScript = IN_SCRIPT.test(answer)
  if (!isInScript && (!answer.startsWith('NOPERM') || DISPENSABLE.test(answer))) return undefined
  const [missing, rule] = missingRight(answer, isInScript)
  return `user ${user} may not ${missing} (${answer.split(' script:')[0]}). Grant it: ACL SETUSER ${user} ${rule}; all rules: docs/redis.md`
}

function missingRight(answer: string, isInScript: boolean): readonly [missing: string, rule: string] {
  if (/\bkeys?\b/.test(answer)) return ['use the keys of this namespace', '~{<namespace>:*']
  const command = /'(\w+)(?:\|\w+)?' command/.exec(answer)?.[1]
  // Before Redis 7.2 a script is not told which command it was.
  if (command === undefined || isInScript) return ['run what the scripts consist of', grant(SCRIPTED)]
  // Without Lua there is no use in one of the two.
  if (command.startsWith('eval')) return [`run ${command.toUpperCase()}`, grant(['eval', 'evalsha', ...SCRIPTED])]
  return [`run ${command.toUpperCase()}`, grant([command])]
}

function grant(commands: readonly string[]): string {
  return commands.map((command) => `+${command}`).join(' ')
}

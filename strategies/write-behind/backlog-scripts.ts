import type { Editions } from '../../lib/stores/redis-script-runner.ts'
import { ALLOW_OOM, script } from '../../lib/stores/redis-scripts.ts'

/**
 * The scripts of a backlog in Redis. A write is `<version> <payload>` in the list of its key; `order` has the keys with something
 * waiting, scored by the version of their head; a dead letter is `<attempts> <failure as JSON>\n<write>`.
 */
export interface BacklogScripts {
  readonly push: Editions
  readonly newest: Editions
  readonly head: Editions
  readonly settle: Editions
  readonly fail: Editions
  readonly progress: Editions
  readonly waiting: Editions
  readonly buried: Editions
  readonly letter: Editions
  readonly replay: Editions
  readonly discard: Editions
  readonly stats: Editions
}

/** The names of the keys, in the order in which all scripts get them; the list of the key in question comes last. */
export const BACKLOG_KEYS = ['order', 'state', 'failures', 'dead', 'dated', 'latest', 'graves'] as const

const NAMES = `
local order, state, failures, dead, dated, latest, graves, list = unpack(KEYS)
`

const PARTS = `
local key = ARGV[1]
local function version_of(write)
  return string.match(write, '^%d+')
end
local function bytes_of(write)
  return #write - #version_of(write) - 1
end
local function head()
  local write = redis.call('LINDEX', list, 0)
  if not write then return false end
  return {write, tonumber(redis.call('HGET', failures, key) or 0)}
end
local function take()
  local write = redis.call('LPOP', list)
  redis.call('HDEL', failures, key)
  local next = redis.call('LINDEX', list, 0)
  if next then redis.call('ZADD', order, version_of(next), key) else redis.call('ZREM', order, key) end
  return write
end
local function leave(write)
  redis.call('HINCRBY', state, 'size', -1)
  redis.call('HINCRBY', state, 'bytes', -bytes_of(write))
end
local function write_of(letter)
  return string.sub(letter, string.find(letter, '\\n', 1, true) + 1)
end
local function dig(version)
  redis.call('HDEL', dead, version)
  redis.call('ZREM', dated, version)
  if redis.call('HINCRBY', graves, key, -1) <= 0 then
    redis.call('HDEL', graves, key)
    redis.call('HDEL', latest, key)
  end
end
`

/**
 * ARGV: key, payload, limits of count and bytes. The version is the time of Redis in microseconds, and never less than the one before: it
 * goes on rising where Redis has lost what it knew.
 */
const PUSH = `
local payload = ARGV[2]
local size = tonumber(redis.call('HGET', state, 'size') or 0)
local bytes = tonumber(redis.call('HGET', state, 'bytes') or 0)
if size >= tonumber(ARGV[3]) or bytes + #payload > tonumber(ARGV[4]) then
  redis.call('HINCRBY', state, 'refused', 1)
  return {'full', size, bytes}
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local version = string.format('%.0f', math.max(now, tonumber(redis.call('HGET', state, 'version') or 0) + 1))
redis.call('HSET', state, 'version', version, 'size', size + 1, 'bytes', bytes + #payload)
if size >= tonumber(redis.call('HGET', state, 'peak') or 0) then redis.call('HSET', state, 'peak', size + 1) end
local length = redis.call('RPUSH', list, version .. ' ' .. payload)
if length == 1 then redis.call('ZADD', order, version, key) end
if redis.call('HEXISTS', graves, key) == 1 then redis.call('HSET', latest, key, version) end
return {'queued', version, length}
`

/** ARGV: key, version. */
const SETTLE = `
local write = redis.call('LINDEX', list, 0)
if write and version_of(write) == ARGV[2] then leave(take()) end
return head()
`

/** ARGV: key, version, failure, attempts. */
const FAIL = `
local version = ARGV[2]
local write = redis.call('LINDEX', list, 0)
if not write or version_of(write) ~= version then return {'gone', 0} end
local count = redis.call('HINCRBY', failures, key, 1)
if count < tonumber(ARGV[4]) then return {'again', count} end
take()
redis.call('HSET', dead, version, count .. ' ' .. ARGV[3] .. '\\n' .. write)
redis.call('ZADD', dated, version, version)
redis.call('HINCRBY', graves, key, 1)
redis.call('HSET', latest, key, version_of(redis.call('LINDEX', list, -1) or write))
return {'dead', count}
`

/** ARGV: key, version. What was not overtaken is the last of its key: nothing of it waits. */
const REPLAY = `
local version = ARGV[2]
local letter = redis.call('HGET', dead, version)
if not letter then return 'unknown' end
if tonumber(redis.call('HGET', latest, key) or 0) > tonumber(version) then return 'overtaken' end
redis.call('RPUSH', list, write_of(letter))
redis.call('ZADD', order, version, key)
dig(version)
return 'queued'
`

/** ARGV: key, version. */
const DISCARD = `
local letter = redis.call('HGET', dead, ARGV[2])
if not letter then return 0 end
leave(write_of(letter))
dig(ARGV[2])
return 1
`

/** The version of the latest write, and the keys with something waiting up to ARGV[1]. */
const PROGRESS = `
return {redis.call('HGET', state, 'version') or '0', redis.call('ZCOUNT', order, '-inf', ARGV[1])}
`

/** ARGV: after which version, for how long at least (ms), how many. Keys and versions. */
const WAITING = `
local time = redis.call('TIME')
local before = tonumber(time[1]) * 1000000 + tonumber(time[2]) - tonumber(ARGV[2]) * 1000
local range = {'(' .. ARGV[1], string.format('%.0f', before)}
return redis.call('ZRANGEBYSCORE', order, range[1], range[2], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
`

/** ARGV: after which version, how many. */
const BURIED = `
local versions = redis.call('ZRANGEBYSCORE', dated, '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
if #versions == 0 then return {} end
return redis.call('HMGET', dead, unpack(versions))
`

const STATS = `
local found = redis.call('HMGET', state, 'size', 'bytes', 'peak', 'refused')
found[5] = redis.call('HLEN', dead)
return found
`

export const BACKLOG_SCRIPTS: BacklogScripts = {
  push: both(NAMES + PARTS + PUSH),
  newest: both(`${NAMES}return redis.call('LINDEX', list, -1)`),
  head: both(`${NAMES + PARTS}return head()`),
  settle: flagged(NAMES + PARTS + SETTLE),
  fail: flagged(NAMES + PARTS + FAIL),
  progress: both(NAMES + PROGRESS),
  waiting: both(NAMES + WAITING),
  buried: both(NAMES + BURIED),
  letter: both(`${NAMES}return redis.call('HGET', dead, ARGV[1])`),
  replay: flagged(NAMES + PARTS + REPLAY),
  discard: flagged(NAMES + PARTS + DISCARD),
  stats: both(NAMES + STATS),
}

function both(text: string): Editions {
  const one = script(text)
  return { plain: one, flagged: one }
}

/** What takes away has to work where memory is full. */
function flagged(text: string): Editions {
  return { plain: script(text), flagged: script(ALLOW_OOM + text) }
}

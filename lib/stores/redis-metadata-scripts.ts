import { MAX_BANS, MAX_SOFT_TIMES, MAX_TAG_RECORDS } from '../tags.ts'

/**
 * What is kept of a partition beside its entries. Metadata that is not whole counts as lost: a new incarnation begins, and entries
 * of the old one are misses.
 *
 *     v  STRING  "incarnation:seq:nonce:floor"
 *     i  ZSET    tag -> seq of its last invalidation      and the marker "@<incarnation>" at 0
 *     n  HASH    seq -> nonce of the latest seqs          and 'inc' -> incarnation, 'fence' -> fills that had a lease,
 *                "~<member of s or b>" -> "seq:time seq:time": when it was softly invalidated
 *     b  ZSET    "!<pattern>" -> seq (bans), "~<pattern>" -> seq (soft ones), and the marker "@<incarnation>" at 0
 *     s  ZSET    tag, or "*" for everything -> seq of its last soft invalidation, and the marker "@<incarnation>" at 0
 *     c  ZSET    "<write under way> <what it changes as JSON>" -> its end (Redis TIME) and the markers "@<incarnation>" at 0, also of
 *                incarnations that were ended on purpose: whoever knew a write in one of them, and misses it here, knows it is over
 *     r  ZSET    process -> end of its lease (Redis TIME) and "@since" -> when this registry began
 */

/** How many seqs keep their nonce, as proof of one history. */
const HISTORY = 1024
/** How many incarnations are remembered as ended on purpose. */
export const MAX_ENDED = 64

// A reply of the wrong type is damaged metadata, not an error: it is healed like missing metadata.
export const METADATA: string = `
local function ask(...)
  local reply = redis.pcall(...)
  if type(reply) == 'string' or type(reply) == 'number' then return reply end
  -- What this user may not run would be healed for ever.
  if type(reply) == 'table' and reply.err and not string.find(reply.err, 'WRONGTYPE', 1, true) then error(reply.err) end
  return nil
end

local function text(number)
  return string.format('%.0f', number)
end

-- Eight bytes, the highest first.
local function number(bytes, first)
  local value = 0
  for at = first, first + 7 do value = value * 256 + string.byte(bytes, at) end
  return value
end

local function read(k)
  local token = ask('GET', k.v)
  if not token then return nil end
  local inc, seq, nonce, floor = string.match(token, '^(%x+):(%d+):(%x+):(%d+)$')
  if not inc or #inc ~= 16 then return nil end
  if ask('HGET', k.n, 'inc') ~= inc then return nil end
  for _, set in ipairs({ k.i, k.b, k.s, k.c }) do
    if not ask('ZSCORE', set, '@' .. inc) then return nil end
  end
  return { inc = inc, seq = tonumber(seq), nonce = nonce, floor = tonumber(floor) }
end

local function write(k, state)
  redis.call('SET', k.v, state.inc .. ':' .. text(state.seq) .. ':' .. state.nonce .. ':' .. text(state.floor))
end

-- Writes under way outlive what has ended; isMeant: it did not end because something was lost.
local function renew(k, inc, nonce, isMeant)
  redis.call('DEL', k.i, k.n, k.b, k.s)
  local markers = redis.pcall('ZRANGEBYSCORE', k.c, '-inf', '0')
  if markers.err then redis.call('DEL', k.c) end
  if not isMeant or #markers >= ${MAX_ENDED} then
    for _, marker in ipairs(markers) do redis.call('ZREM', k.c, marker) end
  end
  for _, set in ipairs({ k.i, k.b, k.s, k.c }) do redis.call('ZADD', set, '0', '@' .. inc) end
  redis.call('HSET', k.n, 'inc', inc, '0', nonce)
  local state = { inc = inc, seq = 0, nonce = nonce, floor = 0 }
  write(k, state)
  return state
end

-- Was this seq, with this nonce, part of the history kept here?
local function knows(k, state, seq, nonce)
  if seq > state.seq then return false end
  if seq == state.seq then return nonce == state.nonce end
  if seq <= state.seq - ${HISTORY} then return true end
  return ask('HGET', k.n, text(seq)) == nonce
end

-- What a write under way changes: everything where that cannot be read.
local function changeOf(mark)
  local isRead, change = pcall(cjson.decode, string.match(mark, ' (.*)$') or '')
  if isRead and type(change) == 'table' and type(change.tags) == 'table' and type(change.patterns) == 'table' then
    return change
  end
  return { all = true, tags = {}, patterns = {} }
end
`

export const TIME: string = `
local function time()
  local parts = redis.call('TIME')
  return tonumber(parts[1]) * 1000 + math.floor(tonumber(parts[2]) / 1000)
end

-- A registry that was lost, or has come with a copy to another server (a replica that was promoted, a backup), may not name all
-- processes that still hold a lease: how long this server has had it is part of it.
local function since(r, now)
  local info = redis.pcall('INFO', 'server')
  local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
  local began = tonumber(ask('ZSCORE', r, '@since' .. run) or '')
  if began and began <= now then return began end
  -- Began in the future: the clock of the server was set back. The processes it names are still there.
  local members = redis.pcall('ZRANGE', r, '0', '-1')
  if members.err then redis.call('DEL', r) end
  for at = 1, #members do
    if string.sub(members[at], 1, 1) == '@' then redis.call('ZREM', r, members[at]) end
  end
  redis.call('ZADD', r, text(now), '@since' .. run)
  return now
end
`

export const MOVE: string = `
-- Drops the oldest members beyond a cap; whatever they would have judged counts as wrong.
local function trim(k, state, set, cap, keep)
  local surplus = redis.call('ZCARD', set) - 1 - keep
  if surplus <= cap - keep then return end
  local gone = redis.call('ZRANGE', set, '1', text(surplus))
  state.floor = math.max(state.floor, tonumber(redis.call('ZSCORE', set, gone[#gone])))
  redis.call('ZREMRANGEBYRANK', set, '1', text(surplus))
  if set == k.i then return end
  for at = 1, #gone do redis.call('HDEL', k.n, '~' .. gone[at]) end
end

-- Remembers when something was made stale. Of too many times the two that lie closest for their age become one, with the seq of
-- the later and the time of the earlier.
local function soften(k, set, member, seq, now)
  redis.call('ZADD', set, seq, member)
  local seqs, times = {}, {}
  for at, time in string.gmatch(ask('HGET', k.n, '~' .. member) or '', '(%d+):(%d+)') do
    seqs[#seqs + 1], times[#times + 1] = at, tonumber(time)
  end
  seqs[#seqs + 1], times[#times + 1] = seq, now
  if #seqs > ${MAX_SOFT_TIMES} then
    local closest, least = 1, math.huge
    for at = 1, #seqs - 1 do
      local share = (times[at + 1] - times[at]) / (now - times[at] + 1)
      if share < least then closest, least = at, share end
    end
    table.remove(seqs, closest)
    table.remove(times, closest + 1)
  end
  for at = 1, #seqs do seqs[at] = seqs[at] .. ':' .. text(times[at]) end
  redis.call('HSET', k.n, '~' .. member, table.concat(seqs, ' '))
end

-- One invalidation of all that these changes name.
local function move(k, state, nonce, now, changes)
  state.seq = state.seq + 1
  state.nonce = nonce
  local seq = text(state.seq)
  for _, change in ipairs(changes) do
    for _, tag in ipairs(change.tags) do
      if change.soft then soften(k, k.s, tag, seq, now) else redis.call('ZADD', k.i, seq, tag) end
    end
    for _, pattern in ipairs(change.patterns) do
      if change.soft then soften(k, k.b, '~' .. pattern, seq, now) else redis.call('ZADD', k.b, seq, '!' .. pattern) end
    end
    if change.soft and change.all then soften(k, k.s, '*', seq, now) end
  end
  redis.call('HSET', k.n, seq, nonce)
  redis.call('HDEL', k.n, text(state.seq - ${HISTORY}))
  trim(k, state, k.i, ${MAX_TAG_RECORDS}, ${MAX_TAG_RECORDS * 0.9})
  trim(k, state, k.s, ${MAX_TAG_RECORDS}, ${MAX_TAG_RECORDS * 0.9})
  trim(k, state, k.b, ${MAX_BANS}, ${MAX_BANS})
  write(k, state)
end
`

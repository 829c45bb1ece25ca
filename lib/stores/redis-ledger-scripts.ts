import { MAX_ENDED } from './redis-metadata-scripts.ts'

/** What was invalidated: how a process tells it to Redis, and how it hears of what others have told. */

/** How many writes may be under way at the same time. */
const MAX_MARKS = 1_000
/** More tags than this since the last sync are not worth sending: the mirror starts over. */
const MAX_DELTA = 1000
/** How many of the latest nonces a sync brings. */
const SYNC_NONCES = 64

/** A lease lasts this much longer in the registry than in the process that holds it: clock rates differ. */
export function registeredLease(leaseMs: number): number {
  return leaseMs * 1.1 + 10
}

// KEYS v i n b s c r; ARGV newInc newNonce knownInc knownSeq knownNonce nodeId leaseMs rotate
export const SYNC: string = `
local k, r = { v = KEYS[1], i = KEYS[2], n = KEYS[3], b = KEYS[4], s = KEYS[5], c = KEYS[6] }, KEYS[7]
local knownInc, knownSeq, knownNonce = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local now = time()
local state = read(k)
local isContinued = state and ARGV[8] ~= '1' and (state.inc ~= knownInc or knows(k, state, knownSeq, knownNonce))
if not isContinued then state = renew(k, ARGV[1], ARGV[2], false) end
-- A write whose process has gone ends like any other: nothing that was read under it is right.
local ended, all = {}, false
for _, mark in ipairs(redis.call('ZRANGEBYSCORE', k.c, '(0', text(now))) do
  redis.call('ZREM', k.c, mark)
  ended[#ended + 1] = changeOf(mark)
  all = all or ended[#ended].all
end
if all then
  state = renew(k, ARGV[1], ARGV[2], isContinued)
elseif #ended > 0 then
  move(k, state, ARGV[2], now, ended)
end
local status = 'reset'
if isContinued and state.inc == knownInc then status = knownSeq == state.seq and 'same' or 'delta' end
local lease = tonumber(ARGV[7])
if lease > 0 then
  since(r, now)
  redis.call('ZADD', r, text(math.ceil(now + lease * 1.1 + 10)), ARGV[6])
end
local tags, bans, softs, writes, past = {}, {}, {}, {}, {}
if status == 'delta' then
  local after = '(' .. text(knownSeq)
  local function tellSoft(member)
    softs[#softs + 1] = member
    softs[#softs + 1] = ask('HGET', k.n, '~' .. member) or ''
  end
  tags = redis.call('ZRANGEBYSCORE', k.i, after, '+inf', 'WITHSCORES', 'LIMIT', '0', '${MAX_DELTA + 1}')
  for _, tag in ipairs(redis.call('ZRANGEBYSCORE', k.s, after, '+inf', 'LIMIT', '0', '${MAX_DELTA + 1}')) do tellSoft(tag) end
  local members = redis.call('ZRANGEBYSCORE', k.b, after, '+inf', 'WITHSCORES')
  for at = 1, #members, 2 do
    if string.sub(members[at], 1, 1) == '!' then
      bans[#bans + 1] = string.sub(members[at], 2)
      bans[#bans + 1] = members[at + 1]
    else
      tellSoft(members[at])
    end
  end
  if #tags + #softs > ${2 * MAX_DELTA} then
    status = 'reset'
    tags, bans, softs = {}, {}, {}
  end
end
-- Who is under way changes with the token only.
if status ~= 'same' then
  past = redis.call('ZRANGEBYSCORE', k.c, '-inf', '0')
  local marks = redis.call('ZRANGEBYSCORE', k.c, '(0', '+inf', 'WITHSCORES')
  for at = 1, #marks, 2 do
    writes[#writes + 1] = marks[at]
    writes[#writes + 1] = text(tonumber(marks[at + 1]) - now)
  end
end
-- The nonces of the seqs up to this one, so that the process knows which history it has caught up with.
local nonces = ''
if status ~= 'same' then
  local seqs = {}
  local first = status == 'delta' and knownSeq + 1 or 0
  for seq = math.max(first, state.seq - ${SYNC_NONCES - 1}), state.seq do seqs[#seqs + 1] = text(seq) end
  local found = redis.call('HMGET', k.n, unpack(seqs))
  for at = 1, #seqs do found[at] = found[at] or '' end
  nonces = table.concat(found, ',')
end
return { status, state.inc, text(state.seq), state.nonce, text(state.floor), text(now), tags, bans, nonces, softs, writes, past }
`

// KEYS v i n b s c r; ARGV newInc nonce nodeId leaseMs all channel partition soft mark markMs ntags tags.. npatterns patterns..,
// then, of what a write leaves when it ends: inc seq nonce since which it was under way, ntags tags..
export const INVALIDATE: string = `
-- Has nothing that a write leaves been made wrong since it began? Patterns, and what is soft, count whatever they name.
local function isUntouched(k, state, first)
  local inc, seq, nonce = ARGV[first], tonumber(ARGV[first + 1]), ARGV[first + 2]
  if not state or state.inc ~= inc or seq < state.floor or not knows(k, state, seq, nonce) then return false end
  for at = first + 4, first + 3 + tonumber(ARGV[first + 3]) do
    local last = ask('ZSCORE', k.i, ARGV[at])
    if last and tonumber(last) > seq then return false end
  end
  for _, set in ipairs({ k.b, k.s }) do
    if #redis.call('ZRANGEBYSCORE', set, '(' .. text(seq), '+inf', 'LIMIT', '0', '1') > 0 then return false end
  end
  return true
end

local k, r = { v = KEYS[1], i = KEYS[2], n = KEYS[3], b = KEYS[4], s = KEYS[5], c = KEYS[6] }, KEYS[7]
local nonce, mark, markMs = ARGV[2], ARGV[9], tonumber(ARGV[10])
local now = time()

local change = { all = ARGV[5] == '1', soft = ARGV[8] == '1', tags = {}, patterns = {} }
local at = 12
for _ = 1, tonumber(ARGV[11]) do
  change.tags[#change.tags + 1] = ARGV[at]
  at = at + 1
end
for offset = 1, tonumber(ARGV[at]) do change.patterns[offset] = ARGV[at + offset] end
at = at + 1 + #change.patterns

local state = read(k)
local wasAlone = ARGV[at] and isUntouched(k, state, at)
if state and mark ~= '' and markMs > 0 and redis.call('ZCARD', k.c) > ${MAX_MARKS + MAX_ENDED} and not ask('ZSCORE', k.c, mark) then
  return redis.error_reply('ERR more writes are under way than are kept')
end
local prevInc, prevSeq, prevNonce = '', '0', ''
if state then prevInc, prevSeq, prevNonce = state.inc, text(state.seq), state.nonce end
if not state or (change.all and not change.soft) then
  state = renew(k, ARGV[1], nonce, state ~= nil)
else
  move(k, state, nonce, now, { change })
end
if mark ~= '' and markMs == 0 then redis.call('ZREM', k.c, mark) end
if mark ~= '' and markMs > 0 then
  -- Who brings a mark back knows less of its end than who renews it.
  local known = tonumber(ask('ZSCORE', k.c, mark) or '0')
  redis.call('ZADD', k.c, text(math.max(known, now + markMs)), mark)
end

local blindMs = since(r, now) + tonumber(ARGV[4]) * 1.1 + 10 - now
local others = {}
local processes = redis.call('ZRANGE', r, '0', '-1', 'WITHSCORES')
for at = 1, #processes, 2 do
  local process, ends = processes[at], tonumber(processes[at + 1])
  if string.sub(process, 1, 1) ~= '@' then
    if ends <= now then
      redis.call('ZREM', r, process)
    elseif process ~= ARGV[3] then
      others[#others + 1] = process
      others[#others + 1] = text(ends - now)
    end
  end
end
-- Only makes it faster: a refusal, or a message that is lost, leaves the leases to wait for.
if #others > 0 then
  local token = state.inc .. ':' .. text(state.seq) .. ':' .. state.nonce
  redis.pcall('PUBLISH', ARGV[6], ARGV[7] .. ' ' .. token .. ' ' .. ARGV[3])
end
return {
  state.inc, text(state.seq), state.nonce, text(state.floor), prevInc, prevSeq, prevNonce,
  text(math.ceil(math.max(blindMs, 0))), table.concat(others, ' '), wasAlone and '1' or '0',
}
`

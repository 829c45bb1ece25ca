import { createHash } from 'node:crypto'
import type { RedisClient } from '../redis.ts'
import { MAX_BANS, MAX_SOFT_TIMES, MAX_TAG_RECORDS } from '../tags.ts'
import { ACQUIRE, RELEASE } from './redis-fill-scripts.ts'

/**
 * The scripts that run inside Redis. All keys of one call are in KEYS and in one slot; everything else is an argument. Metadata
 * of a partition that is not whole counts as lost: a new incarnation begins, and entries of the old one are misses.
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
export type ScriptName = 'sync' | 'invalidate' | 'store' | 'check' | 'acquire' | 'release'

/** How many seqs keep their nonce, as proof of one history. */
const HISTORY = 1024
/** How many incarnations are remembered as ended on purpose. */
const MAX_ENDED = 64
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

// A reply of the wrong type is damaged metadata, not an error: it is healed like missing metadata.
const METADATA = `
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

const TIME = `
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

const MOVE = `
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

// A star falls back to the last one only, so the work is bounded by the product of the lengths. Characters are UTF-16 units, as
// in the processes: a sequence of four bytes is two of them.
const JUDGE = `
local function units(bytes)
  local list, at, length = {}, 1, #bytes
  while at <= length do
    local lead = string.byte(bytes, at)
    local size = 1
    if lead >= 240 then size = 4 elseif lead >= 224 then size = 3 elseif lead >= 192 then size = 2 end
    local unit = string.sub(bytes, at, at + size - 1)
    if size == 4 then
      list[#list + 1] = unit .. 'h'
      list[#list + 1] = unit .. 'l'
    else
      list[#list + 1] = unit
    end
    at = at + size
  end
  return list
end

local function matches(pattern, name)
  local p, t, star, resume = 1, 1, 0, 1
  while t <= #name do
    local char = pattern[p]
    if char == '*' then
      star = p
      p = p + 1
      resume = t
    else
      local escaped = char == '\\\\' and p < #pattern
      local literal = char
      if escaped then literal = pattern[p + 1] end
      if p <= #pattern and ((char == '?' and not escaped) or literal == name[t]) then
        p = p + 1
        if escaped then p = p + 1 end
        t = t + 1
      elseif star == 0 then
        return false
      else
        p = star + 1
        resume = resume + 1
        t = resume
      end
    end
  end
  while pattern[p] == '*' do p = p + 1 end
  return p == #pattern + 1
end

local unitsOf = { name = nil, list = nil }
local function namedBy(pattern, isValue, name)
  if (string.sub(pattern, 1, 1) == '/') ~= (isValue ~= '1') then return false end
  if unitsOf.name ~= name then unitsOf = { name = name, list = units(name) } end
  return matches(units(pattern), unitsOf.list)
end

-- Is a write under way that names this entry?
local function marked(k, isValue, name, count, first)
  local marks = redis.call('ZRANGEBYSCORE', k.c, '(0', '+inf')
  if #marks == 0 then return false end
  local carried = {}
  for at = first, first + count - 1 do carried[ARGV[at]] = true end
  for _, mark in ipairs(marks) do
    local change = changeOf(mark)
    if change.all then return true end
    for _, tag in ipairs(change.tags) do
      if carried[tag] then return true end
    end
    for _, pattern in ipairs(change.patterns) do
      if namedBy(pattern, isValue, name) then return true end
    end
  end
  return false
end

-- Is an entry of this seq still right? Tags are ARGV[first] and following.
local function right(k, state, seq, isValue, name, count, first)
  if seq > state.seq or seq < state.floor then return false end
  if marked(k, isValue, name, count, first) then return false end
  if seq == state.seq then return true end
  for at = first, first + count - 1 do
    local last = ask('ZSCORE', k.i, ARGV[at])
    if last and tonumber(last) > seq then return false end
  end
  local bans = redis.call('ZRANGEBYSCORE', k.b, '(' .. text(seq), '+inf')
  for at = 1, #bans do
    local isHard = string.sub(bans[at], 1, 1) == '!'
    if isHard and namedBy(string.sub(bans[at], 2), isValue, name) then return false end
  end
  return true
end
`

// KEYS v i n b s c r; ARGV newInc newNonce knownInc knownSeq knownNonce nodeId leaseMs rotate
const SYNC = `
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

// KEYS v i n b s c r; ARGV newInc nonce nodeId leaseMs all channel partition soft mark markMs ntags tags.. npatterns patterns..
const INVALIDATE = `
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

local state = read(k)
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
  text(math.ceil(math.max(blindMs, 0))), table.concat(others, ' '),
}
`

// KEYS v i n b s c, then e l of each; ARGV knownSeq knownNonce, then of each: inc seq fence pxMs frame kind name lease ntags tags..
const STORE = `
local k = { v = KEYS[1], i = KEYS[2], n = KEYS[3], b = KEYS[4], s = KEYS[5], c = KEYS[6] }
local state = read(k)
-- The counter of a server that lost history may pass ours again: only the nonce tells.
local isOurs = state and knows(k, state, tonumber(ARGV[1]), ARGV[2])

local function judge(e, at)
  local inc, seq, fence, kind = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 5]
  if not isOurs or state.inc ~= inc then return 'invalidated' end
  local isValue = kind == 'value' and '1' or '0'
  local function isRight(asOf) return right(k, state, asOf, isValue, ARGV[at + 6], tonumber(ARGV[at + 8]), at + 9) end
  if not isRight(seq) then return 'invalidated' end
  -- Incarnation, seq and fence in the fixed header of the frame that is there.
  local head = tostring(redis.pcall('GETRANGE', e, '20', '51'))
  if #head < 32 or string.sub(head, 1, 16) ~= inc then return 'stored' end
  local presentSeq, presentFence = number(head, 17), number(head, 25)
  if kind == 'variants' then
    -- An index is made from the one before it; what others have put in meanwhile is not lost.
    if presentFence >= fence and isRight(presentSeq) then return 'fenced' end
  elseif presentSeq > seq or (presentSeq == seq and fence > 0 and presentFence > fence) then
    return 'fenced'
  end
  return 'stored'
end

local verdicts = {}
local at = 3
for key = 7, #KEYS, 2 do
  local e, l, lease = KEYS[key], KEYS[key + 1], ARGV[at + 7]
  local verdict = judge(e, at)
  if verdict == 'stored' then redis.call('SET', e, ARGV[at + 4], 'PX', ARGV[at + 3]) end
  if lease ~= '' and string.match(ask('GET', l) or '', '^%x+') == lease then redis.call('DEL', l) end
  verdicts[#verdicts + 1] = verdict
  at = at + 9 + tonumber(ARGV[at + 8])
end
return verdicts
`

// KEYS v i n b s c; ARGV inc seq isValue name ntags tags..; nothing if the entry is not right; else the seq up to which it is, and
// for how long (ms) it has been stale by a soft invalidation, -1 for not at all
const CHECK = `
local k = { v = KEYS[1], i = KEYS[2], n = KEYS[3], b = KEYS[4], s = KEYS[5], c = KEYS[6] }
local seq, isValue, name, count = tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
local state = read(k)
if not state or state.inc ~= ARGV[1] then return false end
if not right(k, state, seq, isValue, name, count, 6) then return false end

local earliest = nil
local function consider(member)
  local since = 0
  for at, time in string.gmatch(ask('HGET', k.n, '~' .. member) or '', '(%d+):(%d+)') do
    if tonumber(at) > seq then
      since = tonumber(time)
      break
    end
  end
  earliest = math.min(earliest or since, since)
end
if redis.call('ZCARD', k.s) > 1 then
  local last = ask('ZSCORE', k.s, '*')
  if last and tonumber(last) > seq then consider('*') end
  for at = 6, 5 + count do
    last = ask('ZSCORE', k.s, ARGV[at])
    if last and tonumber(last) > seq then consider(ARGV[at]) end
  end
end
for _, ban in ipairs(redis.call('ZRANGEBYSCORE', k.b, '(' .. text(seq), '+inf')) do
  if string.sub(ban, 1, 1) == '~' and namedBy(string.sub(ban, 2), isValue, name) then consider(ban) end
end
return { text(state.seq), earliest and text(math.max(0, time() - earliest)) or '-1' }
`

interface Script {
  readonly text: string
  readonly sha: string
}

type Scripts = Readonly<Record<ScriptName, Script>>

/** An invalidation must go through when memory is full; Redis 7 lets a script say so. */
const ALLOW_OOM = '#!lua flags=allow-oom\n'

const PLAIN: Scripts = {
  sync: script(METADATA + TIME + MOVE + SYNC),
  invalidate: script(METADATA + TIME + MOVE + INVALIDATE),
  store: script(METADATA + JUDGE + STORE),
  check: script(METADATA + TIME + JUDGE + CHECK),
  acquire: script(METADATA + TIME + ACQUIRE),
  release: script(METADATA + RELEASE),
}

const FLAGGED: Scripts = {
  ...PLAIN,
  sync: script(ALLOW_OOM + PLAIN.sync.text),
  invalidate: script(ALLOW_OOM + PLAIN.invalidate.text),
}

/** What a script is run with. */
export interface ScriptCall {
  readonly keys: readonly string[]
  readonly args: readonly string[]
}

/** What a script has answered, and how many replicas have what it wrote. */
export interface Waited {
  readonly reply: unknown
  readonly replicas: number
}

/** What is used of an ioredis pipeline. */
interface Pipeline {
  eval(script: string, keys: number, ...args: string[]): Pipeline
  wait(replicas: number, timeoutMs: number): Pipeline
  exec(): Promise<readonly (readonly [error: Error | null, reply: unknown])[] | null>
}

interface PipelinedClient extends RedisClient {
  pipeline(): Pipeline
}

/** Runs the scripts on one client, by their hash where the server has them; defines nothing on the client. */
export class ScriptRunner {
  readonly #client: RedisClient
  #scripts = FLAGGED

  constructor(client: RedisClient) {
    this.#client = client
  }

  async run(name: ScriptName, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    const scripts = this.#scripts
    try {
      return await this.#send(scripts[name], keys, args)
    } catch (error) {
      if (scripts === PLAIN || !isUnknownShebang(error)) throw error
      // A server before Redis 7: remember it.
      this.#scripts = PLAIN
      return this.#send(PLAIN[name], keys, args)
    }
  }

  /** Run a script for each call, then wait until so many replicas have what was written. It blocks the connection of this client. */
  async runAndWait(
    name: ScriptName,
    calls: readonly ScriptCall[],
    { replicas, timeoutMs }: { readonly replicas: number; readonly timeoutMs: number },
  ): Promise<readonly Waited[]> {
    const scripts = this.#scripts
    const pipeline = (this.#client as PipelinedClient).pipeline()
    // By its text: were it unknown by its hash, the wait would be for nothing.
    for (const { keys, args } of calls) pipeline.eval(scripts[name].text, keys.length, ...keys, ...args)
    const replies = (await pipeline.wait(replicas, timeoutMs).exec()) ?? []
    const error = replies.find(([cause]) => cause !== null)?.[0]
    if (error === undefined)
      return calls.map((_, at) => ({ reply: replies[at]?.[1], replicas: Number(replies.at(-1)?.[1]) }))
    if (scripts === PLAIN || !isUnknownShebang(error)) throw error
    this.#scripts = PLAIN
    return this.runAndWait(name, calls, { replicas, timeoutMs })
  }

  async #send({ text, sha }: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    try {
      return await this.#client.evalsha(sha, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return this.#client.eval(text, keys.length, ...keys, ...args)
    }
  }
}

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

function isUnknownShebang(error: unknown): boolean {
  return (
    error instanceof Error && /unexpected symbol near '#'|Unexpected flag|Could not find.*engine/i.test(error.message)
  )
}

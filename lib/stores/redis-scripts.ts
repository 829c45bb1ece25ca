import { createHash } from 'node:crypto'
import type { RedisClient } from '../redis.ts'
import { MAX_BANS, MAX_TAG_RECORDS } from '../tags.ts'
import { ACQUIRE, RELEASE } from './redis-fill-scripts.ts'

/**
 * The scripts that run inside Redis. All keys of one call are in KEYS and in one slot; everything else is an argument. Metadata
 * of a partition that is not whole counts as lost: a new incarnation begins, and entries of the old one are misses.
 *
 *     v  STRING  "incarnation:seq:nonce:floor"
 *     i  ZSET    tag -> seq of its last invalidation      and the marker "@<incarnation>" at 0
 *     n  HASH    seq -> nonce of the latest seqs          and 'inc' -> incarnation, 'fence' -> fills that had a lease
 *     b  ZSET    pattern -> seq (bans)                    and the marker "@<incarnation>" at 0
 *     r  ZSET    process -> end of its lease (Redis TIME) and "@since" -> when this registry began
 */
export type ScriptName = 'sync' | 'invalidate' | 'store' | 'check' | 'acquire' | 'release'

/** How many seqs keep their nonce, as proof of one history. */
const HISTORY = 1024
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

local function read(v, i, n, b)
  local token = ask('GET', v)
  if not token then return nil end
  local inc, seq, nonce, floor = string.match(token, '^(%x+):(%d+):(%x+):(%d+)$')
  if not inc or #inc ~= 16 then return nil end
  if ask('HGET', n, 'inc') ~= inc then return nil end
  if not ask('ZSCORE', i, '@' .. inc) or not ask('ZSCORE', b, '@' .. inc) then return nil end
  return { inc = inc, seq = tonumber(seq), nonce = nonce, floor = tonumber(floor) }
end

local function write(v, state)
  redis.call('SET', v, state.inc .. ':' .. text(state.seq) .. ':' .. state.nonce .. ':' .. text(state.floor))
end

local function renew(v, i, n, b, inc, nonce)
  redis.call('DEL', i, n, b)
  redis.call('ZADD', i, '0', '@' .. inc)
  redis.call('ZADD', b, '0', '@' .. inc)
  redis.call('HSET', n, 'inc', inc, '0', nonce)
  local state = { inc = inc, seq = 0, nonce = nonce, floor = 0 }
  write(v, state)
  return state
end

-- Was this seq, with this nonce, part of the history kept here?
local function knows(n, state, seq, nonce)
  if seq > state.seq then return false end
  if seq == state.seq then return nonce == state.nonce end
  if seq <= state.seq - ${HISTORY} then return true end
  return ask('HGET', n, text(seq)) == nonce
end
`

const TIME = `
local function time()
  local parts = redis.call('TIME')
  return tonumber(parts[1]) * 1000 + math.floor(tonumber(parts[2]) / 1000)
end

-- A registry that was lost may have named processes that still hold a lease: its age is part of it.
local function since(r, now)
  local began = tonumber(ask('ZSCORE', r, '@since') or '')
  if began and began <= now then return began end
  -- Began in the future: the clock of the server was set back. The processes it names are still there.
  if not began then redis.call('DEL', r) end
  redis.call('ZADD', r, text(now), '@since')
  return now
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

-- Is an entry of this seq still right? Tags are ARGV[first] and following.
local function right(state, i, b, seq, isValue, name, count, first)
  if seq > state.seq or seq < state.floor then return false end
  if seq == state.seq then return true end
  for at = first, first + count - 1 do
    local last = ask('ZSCORE', i, ARGV[at])
    if last and tonumber(last) > seq then return false end
  end
  local bans = redis.call('ZRANGEBYSCORE', b, '(' .. text(seq), '+inf')
  local characters = nil
  for at = 1, #bans do
    if (string.sub(bans[at], 1, 1) == '/') == (isValue ~= '1') then
      characters = characters or units(name)
      if matches(units(bans[at]), characters) then return false end
    end
  end
  return true
end
`

// KEYS v i n b r; ARGV newInc newNonce knownInc knownSeq knownNonce nodeId leaseMs rotate
const SYNC = `
local v, i, n, b, r = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local knownInc, knownSeq, knownNonce = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local now = time()
local status = 'reset'
local state = read(v, i, n, b)
if state and ARGV[8] ~= '1' and (state.inc ~= knownInc or knows(n, state, knownSeq, knownNonce)) then
  if state.inc == knownInc then status = knownSeq == state.seq and 'same' or 'delta' end
else
  state = renew(v, i, n, b, ARGV[1], ARGV[2])
end
local lease = tonumber(ARGV[7])
if lease > 0 then
  since(r, now)
  redis.call('ZADD', r, text(math.ceil(now + lease * 1.1 + 10)), ARGV[6])
end
local tags, bans = {}, {}
if status == 'delta' then
  tags = redis.call('ZRANGEBYSCORE', i, '(' .. text(knownSeq), '+inf', 'WITHSCORES', 'LIMIT', '0', '${MAX_DELTA + 1}')
  bans = redis.call('ZRANGEBYSCORE', b, '(' .. text(knownSeq), '+inf', 'WITHSCORES')
  if #tags > ${2 * MAX_DELTA} then
    status = 'reset'
    tags, bans = {}, {}
  end
end
-- The nonces of the seqs up to this one, so that the process knows which history it has caught up with.
local nonces = ''
if status ~= 'same' then
  local seqs = {}
  local first = status == 'delta' and knownSeq + 1 or 0
  for seq = math.max(first, state.seq - ${SYNC_NONCES - 1}), state.seq do seqs[#seqs + 1] = text(seq) end
  local found = redis.call('HMGET', n, unpack(seqs))
  for at = 1, #seqs do found[at] = found[at] or '' end
  nonces = table.concat(found, ',')
end
return { status, state.inc, text(state.seq), state.nonce, text(state.floor), text(now), tags, bans, nonces }
`

// KEYS v i n b r; ARGV newInc nonce nodeId leaseMs all channel partition ntags tags.. npatterns patterns..
const INVALIDATE = `
local v, i, n, b, r = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local nonce = ARGV[2]
local now = time()

local function trim(key, state, cap, keep)
  local size = redis.call('ZCARD', key) - 1
  if size <= cap then return end
  local last = redis.call('ZRANGE', key, text(size - keep), text(size - keep), 'WITHSCORES')
  state.floor = math.max(state.floor, tonumber(last[2]))
  redis.call('ZREMRANGEBYRANK', key, '1', text(size - keep))
end

local state = read(v, i, n, b)
local prevInc, prevSeq, prevNonce = '', '0', ''
if state then prevInc, prevSeq, prevNonce = state.inc, text(state.seq), state.nonce end
if not state or ARGV[5] == '1' then
  state = renew(v, i, n, b, ARGV[1], nonce)
else
  state.seq = state.seq + 1
  state.nonce = nonce
  local seq = text(state.seq)
  local at = 9
  for _ = 1, tonumber(ARGV[8]) do
    redis.call('ZADD', i, seq, ARGV[at])
    at = at + 1
  end
  local patterns = tonumber(ARGV[at])
  for offset = 1, patterns do redis.call('ZADD', b, seq, ARGV[at + offset]) end
  redis.call('HSET', n, seq, nonce)
  redis.call('HDEL', n, text(state.seq - ${HISTORY}))
  trim(i, state, ${MAX_TAG_RECORDS}, ${MAX_TAG_RECORDS * 0.9})
  trim(b, state, ${MAX_BANS}, ${MAX_BANS})
  write(v, state)
end

local blindMs = since(r, now) + tonumber(ARGV[4]) * 1.1 + 10 - now
local others = {}
local processes = redis.call('ZRANGE', r, '0', '-1', 'WITHSCORES')
for at = 1, #processes, 2 do
  local process, ends = processes[at], tonumber(processes[at + 1])
  if process ~= '@since' then
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

// KEYS e v i n b l; ARGV inc seq fence pxMs frame kind name knownSeq knownNonce lease ntags tags..
const STORE = `
local e, v, i, n, b, l = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local isValue = ARGV[6] == 'value' and '1' or '0'

local function judge()
  local state = read(v, i, n, b)
  if not state or state.inc ~= ARGV[1] then return 'invalidated' end
  -- The counter of a server that lost history may pass ours again: only the nonce tells.
  if not knows(n, state, tonumber(ARGV[8]), ARGV[9]) then return 'invalidated' end
  local function isRight(seq) return right(state, i, b, seq, isValue, ARGV[7], tonumber(ARGV[11]), 12) end
  local seq, fence = tonumber(ARGV[2]), tonumber(ARGV[3])
  if not isRight(seq) then return 'invalidated' end
  -- Incarnation, seq and fence in the fixed header of the frame that is there.
  local head = tostring(redis.pcall('GETRANGE', e, '20', '51'))
  if #head < 32 or string.sub(head, 1, 16) ~= ARGV[1] then return 'stored' end
  local presentSeq, presentFence = number(head, 17), number(head, 25)
  if ARGV[6] == 'variants' then
    -- An index is made from the one before it; what others have put in meanwhile is not lost.
    if presentFence >= fence and isRight(presentSeq) then return 'fenced' end
  elseif presentSeq > seq or (presentSeq == seq and fence > 0 and presentFence > fence) then
    return 'fenced'
  end
  return 'stored'
end

local verdict = judge()
if verdict == 'stored' then redis.call('SET', e, ARGV[5], 'PX', ARGV[4]) end
if ARGV[10] ~= '' and string.match(ask('GET', l) or '', '^%x+') == ARGV[10] then redis.call('DEL', l) end
return verdict
`

// KEYS v i n b; ARGV inc seq isValue name ntags tags..; the seq up to which the entry is right, or -1
const CHECK = `
local state = read(KEYS[1], KEYS[2], KEYS[3], KEYS[4])
if not state or state.inc ~= ARGV[1] then return -1 end
if not right(state, KEYS[2], KEYS[4], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5]), 6) then return -1 end
return state.seq
`

interface Script {
  readonly text: string
  readonly sha: string
}

type Scripts = Readonly<Record<ScriptName, Script>>

/** An invalidation must go through when memory is full; Redis 7 lets a script say so. */
const ALLOW_OOM = '#!lua flags=allow-oom\n'

const PLAIN: Scripts = {
  sync: script(METADATA + TIME + SYNC),
  invalidate: script(METADATA + TIME + INVALIDATE),
  store: script(METADATA + JUDGE + STORE),
  check: script(METADATA + JUDGE + CHECK),
  acquire: script(METADATA + TIME + ACQUIRE),
  release: script(METADATA + RELEASE),
}

const FLAGGED: Scripts = {
  ...PLAIN,
  sync: script(ALLOW_OOM + PLAIN.sync.text),
  invalidate: script(ALLOW_OOM + PLAIN.invalidate.text),
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

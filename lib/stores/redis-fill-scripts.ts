/**
 * How a key is filled: of the processes that miss it at the same time one has the lease, and the others wait for what it stores.
 * The lease only saves work: losing it, or the whole server, costs one more run of a handler. What is right is decided when an
 * entry is stored, and again when it is read.
 *
 *     l  STRING  "<token>:<start, Redis TIME>:<incarnation>:<seq>", or "-" where the last fill could not be shared
 *     n  HASH    'fence' -> how many fills of the partition had a lease
 */

// KEYS l n e v; ARGV token waitMs keepMs knownInc knownSeq knownFence
export const ACQUIRE: string = `
local l, n, e, v = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local wait, now = tonumber(ARGV[2]), time()
local held = ask('GET', l)
if held == '-' then return { 'unshared', '0' } end
local inc, seq = ARGV[4], tonumber(ARGV[5])
if held then
  local started, theirInc, theirSeq = string.match(held, '^%x+:(%d+):(%x*):(%d+)$')
  -- Older than anybody waits: its holder is dead or too slow. Younger than nothing: the clock of the server was set back.
  local age = now - (tonumber(started or '') or now + 1)
  -- What its holder fills may be from before an invalidation that the caller knows of.
  if age >= 0 and age < wait and theirInc == inc and tonumber(theirSeq) >= seq then return { 'theirs', '0' } end
end
-- Filled between the caller's look and now, as of a state no older than the caller's.
local head = tostring(redis.pcall('GETRANGE', e, '20', '51'))
if #head == 32 and string.sub(head, 1, 16) == string.match(ask('GET', v) or '', '^%x+') then
  local fence = number(head, 25)
  if number(head, 17) >= seq and fence ~= tonumber(ARGV[6]) then return { 'filled', text(fence) } end
end
local fence = redis.call('HINCRBY', n, 'fence', '1')
redis.call('SET', l, ARGV[1] .. ':' .. text(now) .. ':' .. inc .. ':' .. text(seq), 'PX', ARGV[3])
return { 'mine', text(fence) }
`

// KEYS l; ARGV token unsharedMs: how long nobody is to wait for this key, 0 for not at all
export const RELEASE: string = `
if string.match(ask('GET', KEYS[1]) or '', '^%x+') ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], '-', 'PX', ARGV[2]) end
return 1
`

// KEYS v i n b s c, then e l of each; ARGV knownSeq knownNonce, then of each: inc seq fence pxMs frame kind name lease ntags tags..
export const STORE: string = `
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

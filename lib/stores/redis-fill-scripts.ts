/**
 * The fill lease: of the processes that miss a key at the same time one fills it, and the others wait for what it stores. It only
 * saves work: losing it, or the whole server, costs one more run of a handler.
 *
 *     l  STRING  "<token>:<start, Redis TIME>:<incarnation>:<seq>", or "-" where the last fill could not be shared
 *     n  HASH    'fence' -> how many fills of the partition had a lease
 */

// KEYS l n e v; ARGV token waitMs keepMs knownInc knownSeq knownFence
export const ACQUIRE = `
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
export const RELEASE = `
if string.match(ask('GET', KEYS[1]) or '', '^%x+') ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], '-', 'PX', ARGV[2]) end
return 1
`

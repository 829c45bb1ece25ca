/** Whether an entry is right, as Redis judges it: for a reader whose mirror cannot tell, and for a fill. */

// A star falls back to the last one only, so the work is bounded by the product of the lengths. Characters are UTF-16 units, as
// in the processes: a sequence of four bytes is two of them.
export const JUDGE: string = `
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

// KEYS v i n b s c; ARGV inc seq isValue name ntags tags..; nothing if the entry is not right; else the seq up to which it is, and
// for how long (ms) it has been stale by a soft invalidation, -1 for not at all
export const CHECK: string = `
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

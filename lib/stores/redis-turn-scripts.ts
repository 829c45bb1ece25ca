/**
 * What one process of all does now and then, and which one. Times are Redis TIME.
 *
 *     w  STRING  "<when it was last done>:<process that is at it>:<when its claim ends>:<when it began>", 0 or nothing for none
 */
const TURN = `
local done, holder, ends, began = string.match(ask('GET', KEYS[1]) or '', '^(%d+):(%x*):(%d+):(%d+)$')
done, holder, ends, began = tonumber(done or '0'), holder or '', tonumber(ends or '0'), tonumber(began or '0')
local me, every = ARGV[1], tonumber(ARGV[2])
`

// KEYS w; ARGV process everyMs claimMs mode: 'due', 'now' for whether it is due or not, 'keep' to go on
export const TAKE_TURN: string = `
${TURN}
local claim, mode, now = tonumber(ARGV[3]), ARGV[4], time()
local left = ends - now
-- Longer than anybody claims: the clock of the server was set back.
if holder ~= '' and holder ~= me and left > 0 and left <= claim then return { 'theirs', text(left) } end
local age = now - done
if mode == 'due' and age >= 0 and age < every then return { 'done', text(every - age) } end
if mode ~= 'keep' or holder ~= me then began = now end
redis.call('SET', KEYS[1], text(done) .. ':' .. me .. ':' .. text(now + claim) .. ':' .. text(began), 'PX', text(every + claim))
return { 'mine', '0' }
`

// KEYS w; ARGV process everyMs isDone
export const END_TURN: string = `
${TURN}
if holder ~= me then return 0 end
if ARGV[3] == '1' then done = began end
redis.call('SET', KEYS[1], text(done) .. '::0:0', 'PX', text(every))
return 1
`

-- Arguments: the number of the first request, and of how many keys (1: the path of the URL; 0: each is new).
function init(args)
  local number, keys = tonumber(args[1]), tonumber(args[2])
  if keys == 1 then return end
  request = function()
    local key = number
    if keys > 0 then key = number % keys end
    number = number + 1
    return wrk.format(nil, "/items/" .. string.format("%d", key))
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'SUMMARY {"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"failures":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end

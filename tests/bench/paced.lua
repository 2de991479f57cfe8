-- wrk: the same GET, with a pause (milliseconds, the first argument) before each; prints what collect.py reads.
local pause = 0

function init(args)
  pause = tonumber(args[1]) or 0
end

function delay()
  return pause
end

function done(summary, latency, requests)
  local refused = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration, refused,
    latency:percentile(50), latency:percentile(99)))
end

-- wrk: the same GET again and again; prints what collect.py reads.
function done(summary, latency, requests)
  local refused = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration, refused,
    latency:percentile(50), latency:percentile(99)))
end

-- One line that a program can read, after wrk's own summary.
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\n{"Requests": %d, "Microseconds": %d, "Failures": %d}\n', summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout))
end

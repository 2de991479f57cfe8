-- wrk: events of many readers, each with an id of its own. Arguments: events a request, milliseconds between requests,
-- origin of the page.
local per_request, pause = 1, 0
local agents = 2000
local origin = "http://localhost:8080"

function init(args)
  per_request = tonumber(args[1]) or 1
  pause = tonumber(args[2]) or 0
  origin = args[3] or origin
  math.randomseed(os.time() + tonumber(tostring({}):match("0x(%x+)"), 16) % 1000003)
end

local function id()
  local r = math.random
  return string.format("%08x-%04x-4%03x-8%03x-%06x%06x", r(0, 2147483647), r(0, 65535), r(0, 4095), r(0, 4095),
    r(0, 16777215), r(0, 16777215))
end

local function event()
  return string.format('{"id":"%s","site":"haihau","kind":"view","path":"/tin-tuc/bai-viet-%d.html","article":"a-%d",' ..
    '"referrer":"https://www.google.com/search?q=hai+hau"}', id(), math.random(2000), math.random(2000))
end

function request()
  local body
  if per_request == 1 then
    body = event()
  else
    local events = {}
    for number = 1, per_request do events[number] = event() end
    body = "[" .. table.concat(events, ",") .. "]"
  end
  local headers = {
    ["content-type"] = "text/plain;charset=UTF-8",
    ["origin"] = origin,
    ["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0." ..
      math.random(agents) .. ".0 Safari/537.36",
  }
  return wrk.format("POST", "/e", headers, body)
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

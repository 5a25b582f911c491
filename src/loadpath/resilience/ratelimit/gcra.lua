-- The arithmetic of gcra.py where the state lives, in microseconds of the server's own clock.
-- KEYS[1]: the schedule. ARGV: interval (us), burst. Returns how early the request is (us), 0 when
-- it is admitted.
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local scheduled = tonumber(redis.call('GET', KEYS[1]) or now)
if scheduled > now + (burst + 1) * interval then
  scheduled = now + burst * interval -- the clock stepped back: wait as after a full burst
end
local due = math.max(scheduled, now)
local early = due - now - (burst - 1) * interval
if early > 1 then
  return math.ceil(early)
end
local ahead = due + interval - now
redis.call('SET', KEYS[1], string.format('%.17g', due + interval), 'PX', math.ceil(ahead / 1000))
return 0

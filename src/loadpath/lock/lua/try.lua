-- An exclusive lock without waiting: the way of a lock that is free, so it does without the head.
-- KEYS: the lock, the last token, the queue. ARGV: owner, ttl (ms), channel. Returns the token, or
-- when the lease ends and how many wait.
if redis.call('EXISTS', KEYS[1], KEYS[3]) == 0 then
  local keep = math.max(86400000, 2 * ARGV[2]) -- ms, as in the head
  local time = redis.call('TIME')
  local token = time[1] .. string.format('%06d', time[2])
  local before = redis.call('SET', KEYS[2], token, 'GET', 'PX', keep)
  if before and before >= token then -- as text: both have 16 digits until the year 2286
    token = string.format('%.0f', before + 1)
    local ends = string.format('%.0f', before / 1000 + keep)
    redis.call('SET', KEYS[2], token, 'PXAT', ends) -- by its own time: the clock went back
  end
  redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. token .. ' ' .. ARGV[3], 'PX', ARGV[2])
  return tonumber(token)
end
local holder, token = string.match(redis.call('GET', KEYS[1]) or '', '^%+?(%S+) (%d+) ')
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(token)
end
return { math.max(0, redis.call('PTTL', KEYS[1])), redis.call('ZCARD', KEYS[3]) }

-- An exclusive lock without waiting: the way of a lock that is free, so it does without the head.
-- KEYS: the lock, the last token, the queue. ARGV: owner, ttl (ms), how long to remember the last
-- token (ms). Returns the token, or when the lease ends and how many wait.
if redis.call('EXISTS', KEYS[1], KEYS[3]) == 0 then
  local time = redis.call('TIME')
  local token = time[1] .. string.format('%06d', time[2])
  local before = redis.call('SET', KEYS[2], token, 'GET', 'PX', ARGV[3])
  if before and before >= token then -- as text: both have 16 digits until the year 2286
    token = string.format('%.0f', tonumber(before) + 1)
    redis.call('SET', KEYS[2], token, 'PX', ARGV[3])
  end
  redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. token, 'PX', ARGV[2])
  return token
end
local holder, token = string.match(redis.call('GET', KEYS[1]) or '', '^%+?(%S+) (%d+)$')
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return token
end
return { math.max(0, redis.call('PTTL', KEYS[1])), redis.call('ZCARD', KEYS[3]) }

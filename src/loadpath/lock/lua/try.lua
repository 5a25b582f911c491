-- An exclusive lock without waiting: the way of a lock that is free, so it does without the head.
-- KEYS: the lock, the last token, the queue. ARGV: owner, ttl (ms), channel. Returns the token, or
-- when the lease ends and how many wait.
if redis.call('EXISTS', KEYS[1], KEYS[3]) == 0 then
  local token = next_token(KEYS[2], microseconds(redis.call('TIME')), tonumber(ARGV[2]))
  redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. token .. ' ' .. ARGV[3], 'PX', ARGV[2])
  return tonumber(token)
end
local holder, token = string.match(redis.call('GET', KEYS[1]) or '', '^%+?(%S+) (%d+) ')
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(token)
end
return { math.max(0, redis.call('PTTL', KEYS[1])), redis.call('ZCARD', KEYS[3]) }

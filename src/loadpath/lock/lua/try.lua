-- An exclusive lock without waiting: the way of a lock that is free, so it does without the head.
-- KEYS: the lock, the last token, the queue. ARGV: owner and channel, ttl (ms). Returns the token, or
-- when the lease ends and how many wait.
if redis.call('EXISTS', KEYS[1], KEYS[3]) == 0 then
  local last, time, ttl = KEYS[2], redis.call('TIME'), tonumber(ARGV[2])
  -- token.lua
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return token
end
local held, token = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
local owner = string.match(ARGV[1], '^%S+ ')
if held and token and string.match(held, '^%+?(%S+ )') == owner then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(token)
end
return { math.max(0, redis.call('PTTL', KEYS[1])), redis.call('ZCARD', KEYS[3]) }

-- An exclusive lock without waiting: the way of a lock that is free.
-- ARGV: owner, ttl (ms). Returns the token, or when the lease ends and how many wait.
local owner, ttl = ARGV[1], tonumber(ARGV[2])
if redis.call('EXISTS', lock, queue) == 0 then
  local token = next_token(ttl)
  redis.call('SET', lock, owner .. ' ' .. token, 'PX', ttl)
  return token
end
local holder, token = string.match(redis.call('GET', lock) or '', '^%+?(%S+) (%d+)$')
if holder == owner then
  redis.call('PEXPIRE', lock, ttl)
  return token
end
return { math.max(0, redis.call('PTTL', lock)), redis.call('ZCARD', queue) }

-- ARGV: owner, ttl (ms), weight, capacity, patience (ms; 0: no place in the queue), channel.
-- Returns the token, or when the first lease ends and how many wait before.
local owner, ttl, weight, capacity = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local patience = tonumber(ARGV[5])
local first = sweep()
local token = extend(owner, ttl)
if not token and not first and fits(weight, capacity) then
  token = grant(owner, weight, ttl, ARGV[6])
end
if token then
  return tonumber(token)
end
if patience > 0 then
  enter(owner, weight .. ' ' .. capacity .. ' ' .. ttl .. ' ' .. ARGV[6], patience, ttl)
end
return { first_expiry(), redis.call('ZRANK', queue, owner) or redis.call('ZCARD', queue) }

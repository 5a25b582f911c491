-- Who waits: first come, first served, and told on its channel.
local function leave(owner)
  if redis.call('ZREM', queue, owner) == 1 then
    redis.call('ZREM', alive, owner)
    redis.call('HDEL', wishes, 'w' .. owner)
  end
end

local function enter(owner, wish, patience, ttl)
  if not redis.call('ZSCORE', queue, owner) then
    redis.call('ZADD', queue, redis.call('HINCRBY', wishes, 'ticket', 1), owner)
    redis.call('HSET', wishes, 'w' .. owner, wish)
    mark()
  end
  redis.call('ZADD', alive, now + patience, owner)
  for _, key in ipairs({ queue, alive, wishes }) do
    redis.call('PEXPIRE', key, math.max(KEEP, 2 * patience, 2 * ttl))
  end
end

-- Lets go who is gone, then serves the queue as far as it fits; returns who is first in it now.
local function sweep()
  expire()
  if redis.call('EXISTS', queue) == 0 then
    return nil
  end
  for _, owner in ipairs(redis.call('ZRANGE', alive, '-inf', now, 'BYSCORE')) do
    leave(owner)
  end
  local first = redis.call('ZRANGE', queue, 0, 0)[1]
  while first do
    local weight, capacity, ttl, channel =
      string.match(redis.call('HGET', wishes, 'w' .. first), '^(%d+) (%d+) (%d+) (.*)$')
    if not fits(tonumber(weight), tonumber(capacity)) then
      return first
    end
    leave(first)
    local token = grant(first, weight, tonumber(ttl), channel)
    if channel ~= '' then
      redis.call('PUBLISH', channel, first .. ' ' .. token)
    end
    first = redis.call('ZRANGE', queue, 0, 0)[1]
  end
end

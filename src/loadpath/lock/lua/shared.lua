-- Many holders: a set by expiry, what each has in the hash ("h" .. owner: "token weight"), and the
-- sum of their weights.
local function forget(owner)
  local held = redis.call('HGET', wishes, 'h' .. owner)
  if held then
    redis.call('HINCRBY', wishes, 'used', -tonumber(string.match(held, '(%d+)$')))
    redis.call('HDEL', wishes, 'h' .. owner)
  end
  redis.call('ZREM', lock, owner)
end

local function expire()
  for _, owner in ipairs(redis.call('ZRANGE', lock, '-inf', now, 'BYSCORE')) do
    forget(owner)
  end
end

local function fits(weight, capacity)
  return tonumber(redis.call('HGET', wishes, 'used') or 0) + weight <= capacity
end

local function keep(ttl)
  redis.call('PEXPIRE', lock, math.max(KEEP, 2 * ttl))
  redis.call('PEXPIRE', wishes, math.max(KEEP, 2 * ttl))
end

local function grant(owner, weight, ttl)
  local token = next_token(ttl)
  redis.call('HSET', wishes, 'h' .. owner, token .. ' ' .. weight)
  redis.call('HINCRBY', wishes, 'used', weight)
  redis.call('ZADD', lock, now + ttl, owner)
  keep(ttl)
  return token
end

local function extend(owner, ttl)
  local expires = redis.call('ZSCORE', lock, owner)
  if expires and tonumber(expires) > now then
    redis.call('ZADD', lock, now + ttl, owner)
    keep(ttl)
    return string.match(redis.call('HGET', wishes, 'h' .. owner), '^%d+')
  end
end

local function drop(owner)
  local expires = redis.call('ZSCORE', lock, owner)
  if expires then
    forget(owner)
  end
  return expires and tonumber(expires) > now
end

local function mark() end

local function first_expiry()
  local first = redis.call('ZRANGE', lock, 0, 0, 'WITHSCORES')[2]
  return first and math.max(0, first - now) or 0
end

local function holders()
  local found = {}
  local members = redis.call('ZRANGE', lock, '(' .. now, '+inf', 'BYSCORE', 'WITHSCORES')
  for place = 1, #members, 2 do
    local token, weight =
      string.match(redis.call('HGET', wishes, 'h' .. members[place]), '^(%d+) (%d+)$')
    for _, value in ipairs({ members[place], token, weight, members[place + 1] - now }) do
      found[#found + 1] = value
    end
  end
  return found
end

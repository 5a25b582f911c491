-- One holder: "owner channel", with a + before it while somebody waits. So a holder without waiters
-- is compared and deleted by one plain command, and one with waiters is not. Its token is the last.
local function holder()
  local found = redis.call('GET', lock)
  if found then
    return string.match(found, '^%+?(%S+) ')
  end
end

local function expire() end

local function fits()
  return redis.call('EXISTS', lock) == 0
end

local function grant(owner, _, ttl, channel)
  local token = next_token(ttl)
  local mark = redis.call('EXISTS', queue) == 1 and '+' or ''
  redis.call('SET', lock, mark .. owner .. ' ' .. channel, 'PX', ttl)
  return token
end

local function extend(owner, ttl)
  if holder() == owner then
    redis.call('PEXPIRE', lock, ttl)
    return redis.call('GET', last) or next_token(ttl)
  end
end

local function drop(owner)
  if holder() == owner then
    return redis.call('DEL', lock) == 1
  end
  return false
end

-- Tells the holder that its release will have to hand over, so that it need not try without.
local function mark()
  local found = redis.call('GET', lock)
  if found and string.sub(found, 1, 1) ~= '+' then
    redis.call('SET', lock, '+' .. found, 'KEEPTTL')
    local owner, channel = string.match(found, '^(%S+) (.*)$')
    if channel ~= '' then
      redis.call('PUBLISH', channel, owner)
    end
  end
end

local function first_expiry()
  return math.max(0, redis.call('PTTL', lock))
end

local function holders()
  local owner = holder()
  return owner and { owner, redis.call('GET', last) or '0', 1, redis.call('PTTL', lock) } or {}
end

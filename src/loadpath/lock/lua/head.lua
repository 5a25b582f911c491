-- Comes first in every script. KEYS: the lock (its holder, or its holders by expiry), the last
-- token, the queue (owner by ticket), alive (owner by patience), wishes (what waiters ask for).
local lock, last, queue, alive, wishes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local KEEP = 86400000 -- ms that an unused lock's last token is remembered
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)

local function next_token(ttl)
  local before = tonumber(redis.call('GET', last) or 0)
  local token = string.format('%.0f', math.max(before + 1, us))
  redis.call('SET', last, token, 'PX', math.max(KEEP, 2 * ttl))
  return token
end

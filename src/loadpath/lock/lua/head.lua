-- Comes first in every script but `try.lua`. KEYS: the lock (its holder, or its holders by expiry),
-- the last token, the queue (owner by ticket), alive (owner by patience), wishes (what waiters ask
-- for).
local lock, last, queue, alive, wishes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local KEEP = 86400000 -- ms that an unused lock's last token is remembered
local time = redis.call('TIME')
local us = time[1] .. string.format('%06d', time[2])
local now = math.floor(tonumber(us) / 1000)

local function next_token(ttl)
  local keep = math.max(KEEP, 2 * ttl)
  local before = redis.call('SET', last, us, 'GET', 'PX', keep)
  if before and tonumber(before) >= tonumber(us) then
    local token = string.format('%.0f', tonumber(before) + 1)
    -- By its own time: the clock went back, and may go on to where it was.
    redis.call('SET', last, token, 'PXAT', string.format('%.0f', before / 1000 + keep))
    return token
  end
  return us
end

-- Comes first in every script but `try.lua`. KEYS: the lock (its holder, or its holders by expiry),
-- the last token, the queue (owner by ticket), alive (owner by patience), wishes (what waiters ask
-- for).
local lock, last, queue, alive, wishes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local KEEP = 86400000 -- ms that what is not used any more is kept
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function next_token(ttl)
  -- token.lua
  return string.format('%.0f', token)
end

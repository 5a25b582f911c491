-- Comes next, but in `try.lua`. KEYS: the lock (its holder, or its holders by expiry), the last
-- token, the queue (owner by ticket), alive (owner by patience), wishes (what waiters ask for).
local lock, last, queue, alive, wishes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local KEEP = 86400000 -- ms that what is not used any more is kept
local us = microseconds(redis.call('TIME'))
local now = math.floor(tonumber(us) / 1000)

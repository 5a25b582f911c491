-- The next stamp: the server's time in microseconds, and larger than any before.
local function next_stamp(key)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local last = tonumber(redis.call('GET', key) or '0')
  if last >= now then now = last + 1 end
  redis.call('SET', key, string.format('%.0f', now))
  return now
end

-- A tag or floor without a barrier gets one just below this stamp: entries begun before stay
-- invalid, should the barrier have been evicted. It lives at least as long as the entry.
local function keep_barrier(key, stamp, ttl)
  local left = redis.call('PTTL', key)
  if left == -2 then
    redis.call('SET', key, string.format('%.0f', stamp - 1), 'PX', ttl * 2)
  elseif left >= 0 and left < ttl then
    redis.call('PEXPIRE', key, ttl * 2)
  end
end

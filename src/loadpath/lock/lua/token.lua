-- Comes before everything. The next token: the time in microseconds, or one more than the last.
-- Both have 16 digits until the year 2286, so they compare as text.
local function microseconds(time)
  return time[1] .. string.format('%06d', time[2])
end

-- The last one is remembered for a day after its own time, or longer: its expiry is written anew
-- when the first five digits change, which is every 28 hours.
local function next_token(last, us, ttl)
  local before = redis.call('SET', last, us, 'GET', 'KEEPTTL')
  if before and before < us and string.sub(before, 1, 5) == string.sub(us, 1, 5) and ttl < 8.64e7 then
    return us
  end
  local token = us
  if before and before >= us then
    token = string.format('%.0f', before + 1)
    redis.call('SET', last, token)
  end
  redis.call('PEXPIREAT', last, string.format('%.0f', token / 1000 + math.max(3 * 8.64e7, 2 * ttl)))
  return token
end

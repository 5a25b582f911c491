  -- The next token: the time in microseconds, or one more than the last. That is remembered for a
  -- day after its own time, or longer: its expiry is written when the day count (of 28 hours) changes.
  local token = time[1] * 1000000 + time[2]
  local before = tonumber(redis.call('SET', last, token, 'GET', 'KEEPTTL') or 0)
  if before >= token then
    token = before + 1
    redis.call('SET', last, token, 'KEEPTTL')
  end
  if math.floor(before / 1e11) ~= math.floor(token / 1e11) or ttl >= 8.64e7 then
    local ends = token / 1000 + math.max(3 * 8.64e7, 2 * ttl)
    redis.call('PEXPIREAT', last, string.format('%.0f', ends))
  end

-- Runs one command unless a newer token was here. KEYS: the newest token, then those of the
-- command. ARGV: token, then the command.
local newest = tonumber(redis.call('GET', KEYS[1]) or 0)
local token = tonumber(ARGV[1])
if token < newest then
  return redis.error_reply('STALETOKEN ' .. string.format('%.0f', newest))
end
if token > newest then
  redis.call('SET', KEYS[1], ARGV[1])
end
return redis.call(unpack(ARGV, 2))

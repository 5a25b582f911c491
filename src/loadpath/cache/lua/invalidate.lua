-- KEYS: stamp, barriers. ARGV: age in microseconds, least life of a barrier in ms.
local stamp = next_stamp(KEYS[1]) - ARGV[1]
for place = 2, #KEYS do
  local left = redis.call('PTTL', KEYS[place])
  local barrier = math.max(stamp, tonumber(redis.call('GET', KEYS[place]) or '0'))
  local life = math.max(left, tonumber(ARGV[2]))
  redis.call('SET', KEYS[place], string.format('%.0f', barrier), 'PX', life)
end
return 1

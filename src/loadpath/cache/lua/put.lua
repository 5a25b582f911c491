-- KEYS: entry, lease, stamp, floor, a barrier for each tag. ARGV: ttl in ms, body.
local stamp = next_stamp(KEYS[3])
redis.call('SET', KEYS[1], '1' .. string.format('%016.0f', stamp) .. ARGV[2], 'PX', ARGV[1])
for place = 4, #KEYS do keep_barrier(KEYS[place], stamp, tonumber(ARGV[1])) end
redis.call('DEL', KEYS[2])
return 1

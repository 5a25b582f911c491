-- KEYS: entry, lease, floor, a barrier for each tag. ARGV: token, ttl in ms, body.
local holder = redis.call('GET', KEYS[2])
if not holder or string.sub(holder, 18) ~= ARGV[1] then return 0 end
local stamp = string.sub(holder, 1, 16)
redis.call('SET', KEYS[1], '1' .. stamp .. ARGV[3], 'PX', ARGV[2])
for place = 3, #KEYS do keep_barrier(KEYS[place], tonumber(stamp), tonumber(ARGV[2])) end
redis.call('DEL', KEYS[2])
return 1

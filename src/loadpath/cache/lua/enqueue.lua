-- KEYS: queue, entry, lease, stamp, floor.
-- ARGV: most queued, key, value, life of the entry in ms, body of the entry.
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
local id = redis.call('XADD', KEYS[1], '*', 'key', ARGV[2], 'value', ARGV[3])
local stamp = next_stamp(KEYS[4])
redis.call('SET', KEYS[2], '1' .. string.format('%016.0f', stamp) .. ARGV[5], 'PX', ARGV[4])
keep_barrier(KEYS[5], stamp, tonumber(ARGV[4]))
redis.call('DEL', KEYS[3])
return id

-- KEYS: queue, dead letters. ARGV: most dead letters, id, why.
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[1]) then return 0 end
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
if #found == 0 then return 1 end
local fields = found[1][2]
fields[#fields + 1] = 'why'
fields[#fields + 1] = ARGV[3]
redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('XDEL', KEYS[1], ARGV[2])
return 1

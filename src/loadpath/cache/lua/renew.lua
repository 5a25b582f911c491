-- KEYS: lease. ARGV: token, lease in ms; 0 releases it.
local holder = redis.call('GET', KEYS[1])
if not holder or string.sub(holder, 18) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])

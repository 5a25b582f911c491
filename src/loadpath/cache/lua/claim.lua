-- KEYS: entry, lease, stamp, floor, a barrier for each tag.
-- ARGV: token, lease in ms, head of the entry that the caller saw, least life of a barrier in ms.
local head = redis.pcall('GETRANGE', KEYS[1], 0, 16)
if type(head) ~= 'string' then head = '' end
if head ~= ARGV[3] then return 'changed' end
local holder = redis.call('GET', KEYS[2])
if holder then
  if string.sub(holder, 18) ~= ARGV[1] then return 'busy' end
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return 'granted'
end
local stamp = next_stamp(KEYS[3])
for place = 4, #KEYS do keep_barrier(KEYS[place], stamp, tonumber(ARGV[4])) end
redis.call('SET', KEYS[2], string.format('%016.0f ', stamp) .. ARGV[1], 'PX', ARGV[2])
return 'granted'

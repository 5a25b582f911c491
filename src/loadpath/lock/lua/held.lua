-- Returns how many wait, then of each holder: owner, token, weight, ms until it expires.
local found = holders()
table.insert(found, 1, redis.call('ZCARD', queue))
return found

-- ARGV: owner.
local held = drop(ARGV[1])
leave(ARGV[1])
sweep()
return held and 1 or 0

"""What Redis does in one step: scripts in Lua, named by their hash as Redis names them.

Each has one key, so that they would run on a cluster, too. Times are those of the server: nodes share one clock.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Script:
    """The text of a script, and its name."""

    text: str
    name: str = field(init=False)

    def __post_init__(self) -> None:
        # The name that EVALSHA asks for; nothing here is a secret.
        object.__setattr__(self, "name", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
"""

# The same numbers as `anonchat.rates.Rates`; ARGV: interval, burst, cost. A number is kept to a thousandth.
HIT = Script(
    _NOW
    + """
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = tonumber(redis.call('GET', KEYS[1]) or 0)
local arrival = math.min(math.max(stored, now), now + burst)
local nxt = arrival + interval * cost
local wait = nxt - burst - now
if wait > 0 then return math.max(1, math.floor(wait + 0.5)) end
redis.call('SET', KEYS[1], string.format('%.3f', nxt), 'PX', math.max(1, math.ceil(nxt - now)))
return 0
"""
)

# ARGV: what it must hold, the new value, milliseconds.
PUT_IF = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
""")

# ARGV: what it must hold.
REMOVE_IF = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""")

# ARGV: milliseconds, then member and value in turn. A value begins with the time at which it is over.
ENTER = Script(
    _NOW
    + """
local life = tonumber(ARGV[1])
local over = string.format('%.0f ', now + life)
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], over .. ARGV[i + 1]) end
if redis.call('PTTL', KEYS[1]) < life then redis.call('PEXPIRE', KEYS[1], life) end
return 1
"""
)

MEMBERS = Script(
    _NOW
    + """
local found, living = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #found, 2 do
  local space = string.find(found[i + 1], ' ', 1, true)
  if tonumber(string.sub(found[i + 1], 1, space)) > now then
    living[#living + 1] = found[i]
    living[#living + 1] = string.sub(found[i + 1], space + 1)
  else
    redis.call('HDEL', KEYS[1], found[i])
  end
end
return living
"""
)

"""`Bus` and `Ephemeral` on Redis or Valkey, for any number of nodes."""

from anonchat_redis.bus import RedisBus
from anonchat_redis.ephemeral import RedisEphemeral

__all__ = ["RedisBus", "RedisEphemeral"]

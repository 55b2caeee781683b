"""`Bus` and `Ephemeral` in the memory of one process: all that a single node needs."""

from anonchat_memory.bus import MemoryBus
from anonchat_memory.ephemeral import MemoryEphemeral

__all__ = ["MemoryBus", "MemoryEphemeral"]

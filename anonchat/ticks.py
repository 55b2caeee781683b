"""When what recurs begins: together, so that a server with nothing to do wakes up a few times a second and not at every timer."""

TICK_SECONDS = 0.5


def next_tick(now: float, seconds: float = TICK_SECONDS) -> float:
    """The next multiple of `seconds`, in the time of the event loop. Its timers may be early: this moment is not the next."""
    return ((now + seconds / 4) // seconds + 1) * seconds

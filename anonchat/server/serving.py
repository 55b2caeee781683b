"""`anonchat serve`: start, say where, wait for a signal, stop."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

import structlog

from anonchat.app import Server
from anonchat.config import Settings
from anonchat.errors import ChatError
from anonchat.observability.logs import report_loop_error
from anonchat.rooms.rooms import NewRoom
from anonchat.server.streams import say
from anonchat.server.workers import Place

log = structlog.get_logger("anonchat.server")

COLLECTIONS = (5_000, 10, 50)  # containers made before the young are looked through, and how often before older ones
SWITCH_SECONDS = 0.0005
MOST_FILES = 65_536  # for which the system's table is made: half a megabyte; more than that is found room for later
SIGNALS = (signal.SIGTERM, signal.SIGINT)
SHARE = 0.9  # of `drain_seconds` after which a shutdown is cut off, so that the process has ended when they are over


def serve_until_told(settings: Settings, *, with_room: bool = False, place: Place | None = None) -> int:
    """Serve until SIGTERM or SIGINT, on uvloop where it is installed; with a `place` as one of several workers.

    Returns the exit code. Raises `StartError`.
    """
    _prepare_open_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(run(settings, with_room=with_room, place=place))


async def run(settings: Settings, *, with_room: bool = False, place: Place | None = None) -> int:
    """Serve in this event loop. Takes over the signals of the process; a second one ends it at once."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report_loop_error)
    stopping = asyncio.Event()
    for number in SIGNALS:
        loop.add_signal_handler(number, _stop, loop, stopping)
    for warning in settings.warnings:
        log.warning("configuration", doubt=warning)
    server = Server(settings, shares_port=place is not None)
    await server.start()
    if place is None or place.announces:
        say(f"anonchat is at {server.url}")
        if with_room:
            await _show_room(server)
    if place is not None:
        loop.add_reader(place.lifeline, _stop_alone, loop, stopping, place.lifeline)
        place.ready()
    _collect_rarely()
    # With each row the database's threads give the interpreter away, and while the event loop is busy, wait this long to
    # have it back: with Python's own 5 ms, a second for 200 rows.
    sys.setswitchinterval(SWITCH_SECONDS)
    await stopping.wait()
    log.info("stopping")
    try:
        async with asyncio.timeout(settings.server.drain_seconds * SHARE):
            await server.stop()
    except TimeoutError:
        # What was acknowledged is on the disk, so nothing is lost; what hangs would hold up the exit as well.
        log.warning("the shutdown took longer than [server] drain_seconds and is cut off")
        _end_at_once(0)
    log.info("stopped")
    return 0


def _stop(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    stopping.set()
    for number in SIGNALS:
        loop.remove_signal_handler(number)
        # Not through the event loop, which may be what hangs.
        signal.signal(number, _end_by_signal)


def _stop_alone(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event, lifeline: int) -> None:
    """The supervisor is gone, and with it whoever would tell this worker to stop."""
    loop.remove_reader(lifeline)
    _stop(loop, stopping)


def _end_by_signal(number: int, _: FrameType | None) -> None:
    _end_at_once(128 + number)


def _end_at_once(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


def _prepare_open_files() -> None:
    """Each connection is an open file, and what most systems begin with is made for other programs.

    The limit is raised, and the system's table of open files made as large as it may get, while there is one thread only.
    Later Linux waits each time that the table doubles until every processor has seen it (`expand_fdtable`): 10 to 25 ms
    for everybody, six times while 5,000 come.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # some systems call a limit endless that they do not grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if sys.platform == "linux":
        last = min(hard if hard != resource.RLIM_INFINITY else MOST_FILES, MOST_FILES) - 1
        with suppress(OSError), Path(os.devnull).open() as nothing:
            os.close(fcntl.fcntl(nothing, fcntl.F_DUPFD_CLOEXEC, last))


def _collect_rarely() -> None:
    """Look for garbage in cycles so seldom that it does not show; reference counting frees nearly all there is at once.

    With Python's own thresholds a busy server spends a quarter of its time on looking through messages that are in use.
    What is there by now stays, and is not looked through at all. Everybody waits for a look: six to eleven milliseconds at
    50,000, which people beside 500 slow requests felt. At 5,000 rooms of two with one message in flight lose 3 %.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)


async def _show_room(server: Server) -> None:
    """A room to try things in, with a link that is ready to use. The server serves also where none can be made."""
    try:
        created = await server.rooms.create(NewRoom("A first room"))
    except ChatError as error:
        say(f"A first room could not be made. {error.message}")
        return
    link = f"{server.url}/r/{created.room.id}"
    say(f"A room to try, for your guests:  {link}#{created.invite_token}")
    say(f"The same for you as moderator:   {link}#{created.moderator_token}")
    command = sys.argv[0] if "/" in sys.argv[0] else "anonchat"  # as it was called, so that the line can be pasted
    say(f"Join from another terminal:      {command} chat '{link}#{created.invite_token}' --name Alice")

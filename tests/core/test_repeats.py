"""However often something goes wrong, the log has a line for each kind of it and minute."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable

from anonchat.observability.repeats import KINDS, SECONDS, OncePerMinute

LOOP = """
import logging
import structlog
from anonchat.observability.logs import set_up

set_up("info", {style!r})
log = structlog.get_logger("anonchat.test")
for number in range(100):
    for plugin in ("dice", "cards"):
        try:
            raise ValueError(number)
        except ValueError:
            log.exception("it failed", plugin=plugin, number=number)
    try:
        [][number]
    except IndexError:
        logging.getLogger("anonchat").exception("it failed")
    log.info("it is well", number=number)
"""


def lines_of(style: str) -> list[str]:
    """What a process logs that fails a hundred times in three ways."""
    command = (sys.executable, "-c", LOOP.format(style=style))
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()


def test_each_kind_stands_there_once_and_all_that_is_well() -> None:
    lines = [json.loads(line) for line in lines_of("json")]
    failed = [line for line in lines if line["event"] == "it failed"]
    assert [line.get("plugin") for line in failed] == ["dice", "cards", None]
    assert len([line for line in lines if line["event"] == "it is well"]) == 100
    assert len([line for line in lines_of("console") if "it failed" in line]) == 3


def record(message: object, level: int = logging.ERROR, error: Exception | None = None) -> logging.LogRecord:
    given = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("anonchat", level, __file__, 1, message, (), given)


def raised(function: Callable[[], object]) -> Exception:
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError


def test_the_next_line_of_a_kind_tells_how_many_were_left_out() -> None:
    now = 0.0
    once = OncePerMinute(lambda: now)
    assert [once.filter(record("a")) for _ in range(5)] == [True, *[False] * 4]
    now = SECONDS
    again = record("a")
    assert once.filter(again)
    assert again.__dict__["repeated"] == 4
    assert not once.filter(record("a"))


def test_what_tells_kinds_apart() -> None:
    once = OncePerMinute(lambda: 0.0)
    others: list[Callable[[], object]] = [lambda: 1 // 0, lambda: [][0]]
    kinds = [
        record("a"),
        record("b"),
        *(record({"event": "a", "plugin": plugin}) for plugin in ("dice", "cards")),
        *(record("a", error=raised(function)) for function in others),
    ]
    assert [once.filter(kind) for kind in kinds] == [True] * len(kinds)
    same = [record({"event": "a", "plugin": "dice", "seconds": number}) for number in range(3)]
    assert [once.filter(line) for line in same] == [False] * 3
    assert [once.filter(record("a", logging.INFO)) for _ in range(3)] == [True] * 3


def test_a_line_of_any_kind_is_no_failure_of_who_writes_it() -> None:
    once = OncePerMinute(lambda: 0.0)
    assert [once.filter(record(said)) for said in ({"status": 3}, {"status": 3}, {"status": 4})] == [True, False, True]


def test_memory_is_bounded() -> None:
    once = OncePerMinute(lambda: 0.0)
    for number in range(3 * KINDS):
        once.filter(record(str(number)))
    assert len(once._told) <= KINDS

"""``anonchat chaos`` tells what became of everything, and ends with 1 if a promise was broken."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anonchat.chaos.faults import FAULTS
from anonchat.chaos.ledger import Account, Entry, reckon
from anonchat.chaos.report import lines_of
from anonchat.chaos.trial import Outcome
from anonchat.cli import main
from anonchat.commands.chaos import NAMES

from .life import HERE


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where temporary folders are made; and a configuration that is none of its business."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("ANONCHAT_CONFIG", str(tmp_path / "mine.toml"))
    monkeypatch.setenv("ANONCHAT_STORAGE__DATABASE", f"sqlite:///{tmp_path / 'precious.db'}")


def run(*options: str) -> Result:
    return CliRunner().invoke(main, ["chaos", *options])


def number(output: str, title: str) -> int:
    found = re.search(rf"^{title} +([\d,]+)$", output, re.MULTILINE)
    assert found is not None, output
    return int(found[1].replace(",", ""))


def is_killed(pid: int) -> bool:
    """Kill a process; False if there was none."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def survived(output: str) -> list[str]:
    """The faults, in their order."""
    return re.findall(r"^  (\w+) +everybody goes on", output, re.MULTILINE)


@pytest.mark.parametrize("fault", NAMES)
def test_every_fault_is_survived(tmp_path: Path, fault: str) -> None:
    done = run("--seconds", "2", "--every", "0.5", "--seed", "7", "--only", fault)
    assert done.exit_code == 0, done.output
    assert number(done.output, "sent") == number(done.output, "acknowledged") > 20
    assert [number(done.output, title) for title in ("lost", "duplicated", "out of order", "unanswered")] == [0] * 4
    assert set(survived(done.output)) == {fault}
    assert list(tmp_path.iterdir()) == [], "neither its own files nor the database of the configuration"


def test_each_fault_comes_before_one_comes_again() -> None:
    done = run("--seconds", "5", "--every", "0.3", "--only", "cut", "--only", "silence")
    first = survived(done.output)[:2]
    assert sorted(first) == ["cut", "silence"], done.output


@pytest.mark.parametrize(("fault", "found"), [("forgotten_sends", "duplicated"), ("skipped_replay", "lost")])
def test_a_broken_server_is_caught(tmp_path: Path, fault: str, found: str) -> None:
    """The control. A silence is long enough that something is sent again, and something is missed, in each."""
    serve = f"{sys.executable} {HERE / 'broken_server.py'} {fault}"
    done = run("--seconds", "6", "--every", "0.4", "--seed", "7", "--only", "silence", "--serve", serve)
    assert done.exit_code == 1, done.output
    assert number(done.output, found) > 0
    assert "did not keep its promise" in done.output
    (kept,) = tmp_path.glob("anonchat-chaos-*")
    assert {"anonchat.db", "server.log"} <= {path.name for path in kept.iterdir()}


@pytest.mark.parametrize(("number", "lines"), [(signal.SIGTERM, 1), (signal.SIGTERM, 3), (signal.SIGINT, 3)])
def test_whoever_ends_it_early_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, lines: int) -> None:
    """After the first line the server is being started, after others there are faults."""
    (tmp_path / "folders").mkdir()
    known = tmp_path / "known"
    serve = shlex.join(["sh", "-c", f'echo $$ >> {known}; exec "$0" -P -m anonchat serve', sys.executable])
    command = (sys.executable, "-m", "anonchat", "chaos", "--seconds", "60", "--every", "0.3", "--serve", serve)
    environ = {**os.environ, "TMPDIR": str(tmp_path / "folders")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ
    ) as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        while not known.exists() or not known.read_text():
            time.sleep(0.01)
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(120) != 0
    assert not is_killed(int(known.read_text().split()[-1])), "the server runs on"
    assert list((tmp_path / "folders").iterdir()) == []


def test_a_server_that_does_not_start_is_told_in_a_sentence() -> None:
    done = run("--serve", f"{sys.executable} -c pass")
    assert (done.exit_code, done.output.count("anonchat: The server did not start")) == (1, 1)


def test_every_fault_can_be_chosen() -> None:
    assert tuple(FAULTS) == NAMES


STORED: list[Entry] = [(1, "id 1", "a-1"), (2, "id 2", "b-1"), (3, "id 3", "a-2")]
WHOLE = (
    Account("a", sent=2, acked={"a-1": "id 1", "a-2": "id 3"}, seen=STORED),
    Account("b", sent=1, acked={"b-1": "id 2"}, seen=STORED),
)


def test_a_ledger_is_whole() -> None:
    ledger = reckon(WHOLE, STORED)
    assert (ledger.sent, ledger.acked, ledger.is_whole) == (3, 3, True)


@pytest.mark.parametrize(
    ("changed", "stored", "wrong"),
    [
        ({}, STORED[:2], "lost"),
        ({"seen": STORED[1:]}, STORED, "lost"),
        ({"seen": STORED[:2]}, STORED, "lost"),
        ({"seen": [*STORED, STORED[-1]]}, STORED, "duplicated"),
        ({}, [*STORED, (4, "id 4", "a-2")], "duplicated"),
        ({"acked": {"a-1": "id 1", "a-2": "id 9"}}, STORED, "duplicated"),
        ({"seen": [STORED[1], STORED[0], STORED[2]]}, STORED, "disordered"),
        ({}, [(1, "id 3", "a-2"), (2, "id 2", "b-1"), (3, "id 1", "a-1")], "disordered"),
        ({"waiting": {"a-3": 1.0}}, STORED, "unanswered"),
    ],
)
def test_a_ledger_finds_what_is_wrong(changed: dict[str, object], stored: list[Entry], wrong: str) -> None:
    ledger = reckon((replace(WHOLE[0], **changed), WHOLE[1]), stored)  # type: ignore[arg-type]
    assert getattr(ledger, wrong) > 0
    assert not ledger.is_whole


def test_what_was_never_shown_is_named() -> None:
    told = replace(WHOLE[0], seen=STORED[:1], gone=[2])
    ledger = reckon((told, WHOLE[1]), STORED)
    assert ledger.unseen == {"a": [2, 3]}
    lines = list(lines_of(Outcome((told, WHOLE[1]), (), ledger, None)))
    assert "never shown to a: 2 (told as deleted), 3" in lines


def test_what_was_told_openly_is_no_loss() -> None:
    told = replace(WHOLE[0], seen=STORED[2:], skipped=[range(1, 3)])
    ledger = reckon((told, WHOLE[1]), STORED)
    assert (ledger.lost, ledger.fresh_starts, ledger.is_whole) == (0, 1, True)


def test_a_send_that_was_put_off_may_come_later() -> None:
    stored: list[Entry] = [(1, "id 3", "a-2"), (2, "id 2", "b-1"), (3, "id 1", "a-1")]
    told = [replace(account, seen=stored) for account in WHOLE]
    assert not reckon(told, stored).is_whole
    told[0].put_off.add("a-1")
    assert reckon(told, stored).is_whole

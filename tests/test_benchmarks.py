"""The benchmark works, and what it checks it finds. No figure is looked at: they mean something on a quiet machine only."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Thread
from xml.etree import ElementTree

import pytest
from websockets.sync.server import ServerConnection, serve

from anonchat.testing import asynchronous
from anonchat.testing.processes import ServerProcess, environment

ROOT = Path(__file__).parent.parent
PATIENCE = 0.3
MEMBERS = 3
PING, PONG = "2", "3"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="the load is in C, for Linux"
)

Deliver = Callable[[Sequence[ServerConnection], str], None]
"""Sends the text of the message to the members of the room."""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks are no installed package."""
    monkeypatch.syspath_prepend(str(ROOT))


class Chat:
    """A server of one room that delivers as it is told; the author is acknowledged unless `is_mute`."""

    def __init__(self) -> None:
        self.members: list[ServerConnection] = []
        self.pongs = 0
        self.deliver: Deliver = honest
        self.is_mute = False

    def talk(self, socket: ServerConnection) -> None:
        """One connection, in a thread of its own."""
        self.members.append(socket)
        socket.send("identified")
        for frame in socket:
            if frame == PONG:
                self.pongs += 1
                continue
            data = json.loads(frame)["data"]
            self.deliver(self.members, data["text"])
            if not self.is_mute:
                socket.send(data["clientMsgId"])


def honest(members: Sequence[ServerConnection], text: str) -> None:
    for member in members:
        member.send(text)


LOST = 1
"""The number of a message that is sent at once: a slow machine sends few more."""


def number_in(text: str) -> int:
    found = re.search(r"~d(\d{14})", text)
    assert found is not None
    return int(found[1])


@pytest.fixture
def chat() -> Chat:
    return Chat()


@pytest.fixture
def port(chat: Chat) -> Iterator[int]:
    with serve(chat.talk, "127.0.0.1", 0, compression=None) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


def flood(port: int, seconds: float = 0.1, rate: float = 0.0) -> int:
    """Send messages to a room, check what comes, and answer how many were sent."""
    from benchmarks.competitors.in_memory import plain_message
    from benchmarks.load.flood import Dialect, Flood
    from benchmarks.load.sockets import Ticket

    dialect = Dialect(b"identified", plain_message, PING, PONG)
    with Flood(port, dialect, [[Ticket("/1")] * MEMBERS], 2, 2, 16, PATIENCE) as room:
        run = room.run(seconds, rate)
    run.check()
    assert run.delivered == MEMBERS * run.sent
    assert run.acked == run.sent
    return run.sent


@pytest.mark.timeout(320)
def test_every_scenario_works_with_anonchat_and_with_the_floor(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "benchmarks.run", "--smoke", "--with", "anonchat,floor", "--output", str(tmp_path))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    from benchmarks.catalogue import scenarios
    from benchmarks.run import SMOKE

    wanted = {name: one for name, one in scenarios(SMOKE).items() if {"anonchat", "floor"} & {*one.competitors}}
    results = json.loads((tmp_path / "results.json").read_text())
    assert results.keys() == wanted.keys()
    report = (tmp_path / "RESULTS.md").read_text()
    for name, scenario in wanted.items():
        assert scenario.title in report
        figures = results[name]["rounds"]["anonchat"][0]
        assert figures.keys() == {measure.name for measure in scenario.measures}
        assert ElementTree.parse(tmp_path / "charts" / f"{name}.svg").getroot().tag.endswith("svg")


@asynchronous
async def test_members_of_the_benchmark_of_plugins_stay_for_all_of_it(tmp_path: Path) -> None:
    from benchmarks.plugins import fill_room, turn

    limits = {"ping_seconds": 0.8, "pong_seconds": 0.4}
    with ServerProcess(tmp_path, environment(plugins={"enabled": ["all"]}, limits=limits)) as server:
        people = await fill_room(server, 5, mention_every=20)
        await turn(server, people[:1], 2.0)
        before = [member.acked for member in people]
        rate, cost = await turn(server, people, 0.5)
        assert rate > 0
        assert cost > 0
        assert all(member.acked > acked for member, acked in zip(people, before, strict=True))


def test_what_comes_exactly_once_is_well(chat: Chat, port: int) -> None:
    def with_pings(members: Sequence[ServerConnection], text: str) -> None:
        members[0].send(PING)
        honest(members, text)

    chat.deliver = with_pings
    flood(port)
    assert chat.pongs > 0


def test_an_open_loop_sends_all_that_is_due(port: int) -> None:
    assert flood(port, 0.29, 100) == 29


def test_a_delivery_that_never_comes_is_found(chat: Chat, port: int) -> None:
    def losing(members: Sequence[ServerConnection], text: str) -> None:
        honest(members[1:] if number_in(text) == LOST else members, text)

    chat.deliver = losing
    with pytest.raises(ValueError, match=r"lost: 1, twice: 0, not to be expected: 0"):
        flood(port)


def test_a_delivery_that_comes_twice_is_found(chat: Chat, port: int) -> None:
    def repeating(members: Sequence[ServerConnection], text: str) -> None:
        if number_in(text) == LOST:
            members[1].send(text)
        honest(members, text)

    chat.deliver = repeating
    with pytest.raises(ValueError, match=r"lost: 0, twice: 1, not to be expected: 0"):
        flood(port)


def test_a_delivery_to_another_room_is_found(chat: Chat, port: int) -> None:
    def straying(members: Sequence[ServerConnection], text: str) -> None:
        if number_in(text) == LOST:
            members[1].send(text.replace("~d0000", "~d0001"))
        honest(members, text)

    chat.deliver = straying
    with pytest.raises(ValueError, match=r"lost: 0, twice: 0, not to be expected: 1"):
        flood(port)


def test_deliveries_in_another_order_are_found(chat: Chat, port: int) -> None:
    kept = []

    def turning(members: Sequence[ServerConnection], text: str) -> None:
        later = text.replace(f"{number_in(text):014}", f"{number_in(text) + 1:014}")
        kept.append(text)
        for member in members:
            for one in (later, text) if len(kept) == 3 else (text,):
                member.send(one)

    chat.deliver = turning
    with pytest.raises(ValueError, match=r"deliveries are wrong"):
        flood(port)


def test_a_missing_acknowledgement_is_found(chat: Chat, port: int) -> None:
    chat.is_mute = True
    with pytest.raises(ValueError, match=r"of 2 messages lost: 2, twice: 0"):
        flood(port)


def test_a_refusal_is_told(chat: Chat, port: int) -> None:
    def refusing(members: Sequence[ServerConnection], text: str) -> None:
        members[0].send('{"event":"error","data":{"code":"slow_mode"}}')

    chat.deliver = refusing
    with pytest.raises(ValueError, match=r"refused a message .*slow_mode"):
        flood(port)


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ([0, 1, 2], None),
        ([2, 0, 1], None),
        ([0, 2], "lost: 2"),
        ([0, 1, 1, 2], "twice: 2"),
        ([0, 1, 2, 3], "nobody had to get"),
    ],
)
def test_who_comes_back_gets_each_message_once(numbers: Sequence[int], complaint: str | None) -> None:
    from benchmarks.load.sockets import upgrade
    from benchmarks.load.visits import Step, visit

    def talk(connection: ServerConnection) -> None:
        connection.send(" ".join(["~do not count this", *(f"~d{number:014}" for number in numbers)]))
        for _ in connection:
            pass

    with serve(talk, "127.0.0.1", 0, compression=None) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            steps, port = [Step([upgrade("/")])], server.socket.getsockname()[1]
            if complaint is None:
                assert visit(port, steps, [0, 0], 3, patience=PATIENCE).visits == 2
            else:
                with pytest.raises(ValueError, match=complaint):
                    visit(port, steps, [0, 0], 3, patience=PATIENCE)
        finally:
            server.shutdown()
            thread.join()


def test_a_visit_that_fails_says_where() -> None:
    from benchmarks.load.sockets import upgrade
    from benchmarks.load.visits import Step, visit

    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(ValueError, match=r"refused a connection in step 1 after \d+\.\d s, Connection refused \(of 2 "):
        visit(port, [Step([upgrade("/")])], [0, 0], 3, patience=PATIENCE)


def test_percentiles_are_off_by_less_than_a_bucket() -> None:
    from benchmarks.load.latencies import BUCKETS, FINENESS, percentile

    def bucket_of(nanoseconds: int) -> int:  # as measures.h has it
        shift = (nanoseconds | 1 << FINENESS).bit_length() - 1 - FINENESS
        return (shift << FINENESS) + (nanoseconds >> shift)

    buckets = [0] * BUCKETS
    for milliseconds in range(1, 101):
        buckets[bucket_of(milliseconds * 1_000_000)] += 1
    assert percentile(buckets, 0.5) == pytest.approx(0.050, rel=0.016)
    assert percentile(buckets, 0.99) == pytest.approx(0.099, rel=0.016)
    assert percentile([0] * BUCKETS, 0.5) == 0.0


def test_ratios_are_of_the_same_round() -> None:
    from benchmarks.results import Result, Spread
    from benchmarks.scenarios.base import Measure

    rounds = {"own": [{"rate": 20.0}, {"rate": 90.0}], "other": [{"rate": 10.0}, {"rate": 30.0}]}
    result = Result("name", "Title", "", "other", [Measure("rate", "rate", "/s")], [], False, "here", rounds, {})
    assert result.figure("own", "rate") == Spread(55.0, 20.0, 90.0)
    assert result.ratio("own", "rate") == Spread(2.5, 2.0, 3.0)
    assert result.ratio("absent", "rate") is None


def test_what_was_found_of_scaling_stays_beside_what_comes_later(tmp_path: Path) -> None:
    from benchmarks.charts import OWN
    from benchmarks.scaling import publish
    from benchmarks.scenarios.base import Aim, Measure

    measures, aims = [Measure("rate", "messages", "/s")], [Aim("rate", 0.5, is_least=True, of="sqlite")]
    for name, own in (("storage", 60.0), ("nodes", 20.0), ("storage", 40.0)):
        rounds = {OWN: [{"rate": own}], "sqlite": [{"rate": 100.0}]}
        publish(name, f"Title of {name}", "sqlite", measures, aims, rounds, "quiet", tmp_path)
    told = (tmp_path / "SCALING.md").read_text()
    assert told.count("Title of storage") == told.count("Title of nodes") == 1
    assert "found 0.4, 0.4 to 0.4: **missed**" in told
    assert "found 0.2, 0.2 to 0.2: **missed**" in told
    assert "0.6" not in told

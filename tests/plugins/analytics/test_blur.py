"""Nobody can be seen in a number: not in a small one, and not in the difference of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from anonchat.app import Server
from anonchat.testing.people import OpenRoom, open_room, request
from anonchat_analytics.counts import told
from anonchat_analytics.plugin import Settings

if TYPE_CHECKING:
    from tests.plugins.analytics.conftest import Analytics

gen_test = pytest.mark.gen_test(timeout=30)
BLUR = 5


@given(some.integers(0, 10**9), some.integers(1, 1000))
def test_what_is_told_is_true(count: int, blur: int) -> None:
    answer = told(count, blur)
    assert answer["value"] <= count < answer["below"] == answer["value"] + blur


@given(some.integers(0, 10**9), some.integers(0, 10**6), some.integers(2, 1000))
def test_two_reads_never_tell_one_person_from_several(count: int, more: int, blur: int) -> None:
    """Whatever was read before and after, there are always several numbers of people that fit."""
    before, after = told(count, blur), told(count + more, blur)
    fewest = max(0, after["value"] - (before["below"] - 1))
    most = after["below"] - 1 - before["value"]
    assert fewest <= more <= most
    assert most - fewest >= blur - 1


def test_exact_numbers_would_be_found() -> None:
    """The control: without rounding two reads tell how many came between them."""
    before, after = told(17, 1), told(18, 1)
    assert after["value"] - (before["below"] - 1) == after["below"] - 1 - before["value"] == 1


async def everything(analytics: Analytics, server: Server, room: OpenRoom, token: str) -> tuple[Any, ...]:
    """All that anybody can read about the room and the server."""
    samples = {
        name: value for name, value in (await analytics.samples(server)).items() if not name.endswith("_created")
    }
    series = [(await analytics.read(server, f"series?metric={name}")).body for name in ("joins", "peak_participants")]
    summary = (await analytics.read(server, "summary")).body
    return (await analytics.read(server, f"rooms/{room.id}", token)).body, summary, series, samples


@gen_test
@pytest.mark.parametrize(("blur", "same"), [(BLUR, True), (1, False)])
async def test_one_person_more_changes_nothing_that_can_be_read(analytics: Analytics, blur: int, same: bool) -> None:
    """With exact numbers, which are the control, Bob would be seen: that he joined, is there, and said something."""
    async with analytics.server(blur=blur) as server:
        room = await open_room(server)
        async with room.enter("Alice", moderator=True) as alice:
            before = await everything(analytics, server, room, alice.token)
            async with room.enter("Bob") as bob:
                await bob.say("Hello")
                after = await everything(analytics, server, room, alice.token)
    assert [one == other for one, other in zip(before, after, strict=True)] == [same] * 4


@gen_test
async def test_every_number_is_a_multiple(analytics: Analytics) -> None:
    async with analytics.server(blur=BLUR) as server:
        room = await open_room(server)
        reads = []
        async with room.enter("Alice", moderator=True) as alice:
            for _ in range(12):
                await alice.say("Hello")
                body, *_, samples = await everything(analytics, server, room, alice.token)
                reads.append((body["kept"]["counts"]["messages"], samples["messages_total"]))
    expected = [count - count % BLUR for count in range(1, 13)]
    assert [told_["value"] for told_, _ in reads] == [sample for _, sample in reads] == expected
    assert all(told_["below"] == told_["value"] + BLUR for told_, _ in reads)


@gen_test
async def test_nobody_and_few_look_alike(analytics: Analytics) -> None:
    async with analytics.server(blur=BLUR) as server:
        empty = await analytics.read(server, "summary")
        async with (await open_room(server)).enter("Alice") as alice:
            await alice.say("Hello")
            assert (await analytics.read(server, "summary")).body == empty.body
    assert empty.body["participants"] == {"value": 0, "below": BLUR}


def test_the_blur_is_five_unless_the_operator_says_otherwise() -> None:
    assert Settings().load({})["blur"] == BLUR


@gen_test
async def test_prometheus_has_all_counts_and_no_label(analytics: Analytics) -> None:
    async with analytics.server() as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice, room.enter("Bob"):
            await alice.say("Hello")
            samples = await analytics.samples(server)
        metrics = (await request(server, "GET", "/metrics", token="an operator's token")).body.decode()
    counted = {name: value for name, value in samples.items() if value and not name.endswith("_created")}
    assert counted == {
        "rooms_created_total": 1, "joins_total": 2, "messages_total": 1, "participants": 2, "peak_participants": 2,
    }  # fmt: skip
    assert {name for name in samples if name.endswith("_total")} == {
        f"{name}_total"
        for name in ("rooms_created", "joins", "messages", "votes", "failed_authentications", "limits_hit",
                     "retention_runs", "retention_messages")
    }  # fmt: skip
    assert "{" not in "".join(line for line in metrics.splitlines() if line.startswith("anonchat_analytics"))

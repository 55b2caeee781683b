"""Nobody can be seen in a number: not in a small one, and not in the difference of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from anonchat.app import Server
from anonchat.testing.people import OpenRoom, open_room, request
from anonchat_analytics.counts import told, told_days, told_hours
from anonchat_analytics.plugin import Settings

if TYPE_CHECKING:
    from tests.plugins.analytics.conftest import Analytics

gen_test = pytest.mark.gen_test
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


def everything_told(hours: Sequence[int], blur: int) -> tuple[Any, ...]:
    """What is told of the hours of a day and of the day, whenever it was read."""
    days = [told(count, blur)["value"] for count in accumulate(hours)]
    return tuple(hour["value"] for hour in told_hours(hours, blur)), tuple(days)


def rounded_alone(hours: Sequence[int], blur: int) -> tuple[Any, ...]:
    """The control: each number by itself."""
    return tuple(told(hour, blur)["value"] for hour in hours), told(sum(hours), blur)["value"]


def fewest_possibilities(tell: Callable[[Sequence[int], int], tuple[Any, ...]], blur: int) -> int:
    """Of one hour, or of the day, for whoever is told of all hours and of the day."""
    fit: dict[tuple[Any, ...], list[Sequence[int]]] = {}
    for hours in product(range(3 * blur), repeat=3):
        fit.setdefault(tell(hours, blur), []).append((*hours, sum(hours)))
    # What is at the edge of what was tried has neighbours that were not.
    whole = [found for found in fit.values() if max(max(hours[:-1]) for hours in found) < 3 * blur - 1]
    assert len(whole) > 1
    return min(len(set(values)) for found in whole for values in zip(*found, strict=True))


def test_the_hours_of_a_day_and_the_day_together_never_tell_an_exact_number() -> None:
    assert fewest_possibilities(everything_told, 3) == 3
    assert fewest_possibilities(rounded_alone, 3) == 1, "the control"


@given(some.lists(some.integers(0, 1000), min_size=1, max_size=24), some.integers(1, 1000))
def test_what_is_told_of_the_hours_is_true_and_adds_up_to_the_day(hours: list[int], blur: int) -> None:
    answers = told_hours(hours, blur)
    assert sum(answer["value"] for answer in answers) == told(sum(hours), blur)["value"]
    for answer, hour in zip(answers, hours, strict=True):
        assert answer["value"] - blur < hour < answer["below"] == answer["value"] + blur


@given(some.lists(some.integers(0, 1000), min_size=1, max_size=30), some.integers(1, 1000))
def test_what_is_told_of_all_days_is_true(days: list[int], blur: int) -> None:
    answer = told_days(sum(told(day, blur)["value"] for day in days), len(days), blur)
    assert answer["value"] <= sum(days) < answer["below"]


@gen_test
async def test_hours_days_and_all_days_add_up(analytics: Analytics) -> None:
    """Two messages an hour, over midnight: told as they add up."""
    async with analytics.server(blur=BLUR) as server:
        room = await open_room(server, ephemeral=False)
        async with room.enter("Alice", moderator=True) as alice:
            for _ in range(20):
                for _ in range(2):
                    await alice.say("Hello")
                await server.dispatcher.settle()
                analytics.clock.advance(3_600)
            mine = (await analytics.read(server, f"rooms/{room.id}", alice.token)).body
        span = "series?metric=messages&from=2027-01-15&to=2027-01-17"
        hours = [point["value"] for point in (await analytics.read(server, span)).body["points"]]
        days = [point["value"] for point in (await analytics.read(server, f"{span}&step=day")).body["points"]]
        late = (await analytics.read(server, f"{span.replace('01-15', '01-15T20')}")).body["points"]
        summary = (await analytics.read(server, "summary")).body
    assert (days, sum(hours[:24]), sum(hours[24:])) == ([30, 5], 30, 5)
    assert hours[8:16] == [0, 0, 5, 0, 5, 0, 0, 5]
    assert [point["value"] for point in late] == hours[20:]
    assert [hour["counts"]["messages"]["value"] for hour in mine["hours"]] == hours[5:29]
    assert [body[period]["counts"]["messages"]["value"] for body in (mine, summary) for period in ("day", "kept")] == [
        *(5, 35),
        *(5, 35),
    ]


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
    assert all(told_["below"] == told_["value"] + 400 * (BLUR - 1) + 1 for told_, _ in reads)


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

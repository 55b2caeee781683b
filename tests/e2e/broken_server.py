"""``anonchat serve`` with one thing broken on purpose, for the controls of fault tests, or with a fault to be survived.

``python broken_server.py <fault> [<argument>]``; the configuration comes from the environment, as usual.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import anonchat.app
import anonchat.plugins.jobs
import anonchat_moderation.content.tally
import anonchat_moderation.log
import anonchat_polls.telling
import anonchat_sqlite.database
from anonchat import Message, Session, Transaction, hookimpl
from anonchat.cli import main
from anonchat.connections.connection import Connection
from anonchat.delivery.active import ActiveRoom, ActiveRooms
from anonchat.delivery.gaps import Gaps
from anonchat.delivery.history import Replay
from anonchat.delivery.hub import Hub
from anonchat.delivery.relay import Relay
from anonchat.errors import ChatError
from anonchat.ids import new_id
from anonchat.messages.writer import Done, Writer
from anonchat.models import Audience, Draft, Event, Held, Receipt
from anonchat.people.presence import Presence
from anonchat.people.seats import Seats
from anonchat.plugins.declarations import Job
from anonchat.plugins.jobs import Jobs
from anonchat.protocol.codec import Frame
from anonchat_notifications import Notifications
from anonchat_polls.poll import Poll
from anonchat_polls.votes import Votes

HURRY_SECONDS = 0.05
MUFFLED = frozenset({"message_pinned", "message_unpinned", "poll_closed", "moderation_changed"})


def early_ack() -> None:
    """Broken: a send is acknowledged when it is taken in, before its transaction."""
    submit = Writer.submit

    def acknowledge(self: Writer, draft: Draft, done: Done, held: Held | None = None) -> None:
        done(Receipt(draft.client_msg_id, new_id(), 0, 0))
        submit(self, draft, lambda outcome: None, held)

    Writer.submit = acknowledge  # type: ignore[method-assign]


def forgotten_sends() -> None:
    """Broken: a send that is repeated is taken for a new one."""
    submit = Writer.submit

    def forget(self: Writer, draft: Draft, done: Done, held: Held | None = None) -> None:
        def told(outcome: Receipt | ChatError) -> None:
            done(outcome._replace(client_msg_id=draft.client_msg_id) if isinstance(outcome, Receipt) else outcome)

        submit(self, replace(draft, client_msg_id=new_id()), told, held)

    Writer.submit = forget  # type: ignore[method-assign]


def unsynced_commits() -> None:
    """Broken: a commit does not wait for the disk."""
    pragmas = [pragma.replace("synchronous=FULL", "synchronous=OFF") for pragma in anonchat_sqlite.database.PRAGMAS]
    anonchat_sqlite.database.PRAGMAS = tuple(pragmas)  # type: ignore[assignment]


def lost_publications(share: str) -> None:
    """To be survived: this share of the committed events is not published, as a lossy bus would have it.

    What is only told may get lost for good, so of that nothing does.
    """
    hurry()
    committed, chance = Relay.committed, random.Random(share)

    def some(self: Relay, published: Sequence[Event]) -> None:
        committed(self, [event for event in published if event.audience or chance.random() >= float(share)])

    Relay.committed = some  # type: ignore[method-assign]


def skipped_replay() -> None:
    """Broken: whoever comes back is not told the last event that was missed, though the position says so."""
    hurry()
    since = ActiveRooms.since

    async def skip(self: ActiveRooms, room: ActiveRoom, seq: int) -> Replay | None:
        replay = await since(self, room, seq)
        return Replay(replay.events[:-1], replay.since, replay.through) if replay is not None else None

    ActiveRooms.since = skip  # type: ignore[method-assign]


def unfilled_gaps() -> None:
    """Broken: what the bus has lost is not read from the database."""
    Gaps.fill = lambda self, room: None  # type: ignore[method-assign]


def swapped_messages() -> None:
    """Broken: every tenth message of a room is told after the one that follows it."""
    deliver, count = Hub.deliver, itertools.count(1)
    late: dict[str, Callable[[], None]] = {}

    def swap(self: Hub, room_id: str, event: str, data: Mapping[str, Any], **more: Any) -> None:
        tell = functools.partial(deliver, self, room_id, event, data, **more)
        if event == "message" and room_id not in late and next(count) % 10 == 0:
            late[room_id] = tell
            return
        tell()
        if room_id in late:
            late.pop(room_id)()

    Hub.deliver = swap  # type: ignore[method-assign]


def late_answers(seconds: str) -> None:
    """Broken: every answer takes so long."""
    reply = Connection.reply

    def wait(self: Connection, *answer: Any) -> None:
        asyncio.get_running_loop().call_later(float(seconds), reply, self, *answer)

    Connection.reply = wait  # type: ignore[method-assign,assignment]


def swallowed_refusals() -> None:
    """Broken: a send that is refused is not answered."""
    refuse = Connection.refuse

    def swallow(self: Connection, frame: Frame, error: Exception) -> None:
        if frame.event != "send_message":
            refuse(self, frame, error)

    Connection.refuse = swallow  # type: ignore[method-assign]


def missed_by_nobody() -> None:
    """Broken: a node that does not renew its lease is believed for ever."""
    Presence.vanished = lambda self, node: None  # type: ignore[method-assign]


def hasty_names() -> None:
    """Broken: everybody gets the name that they ask for."""
    row = Seats._row

    def unique(self: Seats, *arguments: Any) -> dict[str, Any]:
        return {**row(self, *arguments), "name_key": new_id()}

    Seats._row = unique  # type: ignore[method-assign,assignment]


def muffled_events() -> None:
    """Broken: every second time members hear of what a plugin has done as if it were gone, with its seq."""
    hurry()
    deliver, count = Hub.deliver, itertools.count(1)

    def muffle(
        self: Hub, room_id: str, event: str, data: Mapping[str, Any], *, seq: int | None = None,
        packed: bytes | None = None,
    ) -> None:  # fmt: skip
        if event in MUFFLED and next(count) % 2:
            event, data, packed = "gone", {}, None
        deliver(self, room_id, event, data, seq=seq, packed=packed)

    Hub.deliver = muffle  # type: ignore[method-assign]


def dropped_notifications() -> None:
    """Broken: every third notification is not told to who is there."""
    hurry()
    tell, count = Hub.tell, itertools.count(1)

    def drop(
        self: Hub, room_id: str, event: str, data: Mapping[str, Any], audience: Audience, position: int = 0
    ) -> None:
        if event != "notification" or next(count) % 3:
            tell(self, room_id, event, data, audience, position)

    Hub.tell = drop  # type: ignore[method-assign]


def early_votes() -> None:
    """Broken: a vote is acknowledged before its transaction."""
    cast, on_their_way = Votes.cast, set()

    async def acknowledge(
        self: Votes, poll: Poll, session: Session, options: Sequence[int], *, change: bool
    ) -> list[int]:
        async def later() -> None:
            await asyncio.sleep(HURRY_SECONDS)
            await cast(self, poll, session, options, change=change)

        on_their_way.add(asyncio.create_task(later()))
        return list(options)

    Votes.cast = acknowledge  # type: ignore[method-assign]


def late_notifications() -> None:
    """Broken: whom a message concerns is written after its transaction."""

    async def nothing(self: Notifications, tx: Transaction, messages: Sequence[Message]) -> None: ...

    async def write(self: Notifications, message: Message) -> None:
        await asyncio.sleep(HURRY_SECONDS)
        await self.ctx.db.transaction(lambda tx: self.writing.of_messages(tx, [message]))

    Notifications.write_messages = hookimpl(nothing)  # type: ignore[method-assign]
    Notifications.message_saved = hookimpl(write)  # type: ignore[attr-defined]


def hurry() -> None:
    """Run every job often, so that what heals within a second heals at once; plugins gather for as short a time."""
    anonchat_polls.telling.APART = round(HURRY_SECONDS * 1_000)
    anonchat_moderation.log.GATHER_MILLISECONDS = round(HURRY_SECONDS * 1_000)
    anonchat_moderation.content.tally.GATHER_SECONDS = HURRY_SECONDS
    add = Jobs.add

    def soon(self: Jobs, job: Job, *, everywhere: bool = False) -> None:
        add(self, Job(job.name, min(job.seconds, HURRY_SECONDS), job.run), everywhere=everywhere)

    Jobs.add = soon  # type: ignore[method-assign]
    anonchat.plugins.jobs.TICK_SECONDS = HURRY_SECONDS  # type: ignore[attr-defined]


FAULTS: dict[str, Callable[..., None]] = {
    fault.__name__: fault
    for fault in (
        early_ack,
        forgotten_sends,
        unsynced_commits,
        lost_publications,
        skipped_replay,
        unfilled_gaps,
        swallowed_refusals,
        missed_by_nobody,
        hasty_names,
        muffled_events,
        swapped_messages,
        late_answers,
        dropped_notifications,
        early_votes,
        late_notifications,
    )
}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    FAULTS[name](*arguments)
    main(["serve"])

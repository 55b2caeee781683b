"""``anonchat serve`` with one thing broken on purpose, for the controls of fault tests, or with a fault to be survived.

``python broken_server.py <fault> [<argument>]``; the configuration comes from the environment, as usual.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence

import anonchat.app
import anonchat.jobs
from anonchat.active import ActiveRoom
from anonchat.cli import main
from anonchat.declarations import Job
from anonchat.history import Page, Replay
from anonchat.ids import new_id
from anonchat.jobs import Jobs
from anonchat.models import Draft, Event, Held, Receipt
from anonchat.relay import Relay
from anonchat.welcome import Welcome
from anonchat.writer import Done, Writer

HURRY_SECONDS = 0.05


def early_ack() -> None:
    """Broken: a send is acknowledged when it is taken in, before its transaction."""
    submit = Writer.submit

    def acknowledge(self: Writer, draft: Draft, done: Done, held: Held | None = None) -> None:
        done(Receipt(draft.client_msg_id, new_id(), 0, 0))
        submit(self, draft, lambda outcome: None, held)

    Writer.submit = acknowledge  # type: ignore[method-assign]


def lost_publications(share: str) -> None:
    """To be survived: this share of the committed events is not published, as a lossy bus would have it."""
    hurry()
    committed, chance = Relay.committed, random.Random(share)

    def some(self: Relay, published: Sequence[Event]) -> None:
        committed(self, [event for event in published if chance.random() >= float(share)])

    Relay.committed = some  # type: ignore[method-assign]


def skipped_replay() -> None:
    """Broken: whoever comes back is not told the last event that was missed, though the position says so."""
    hurry()
    state_of = Welcome._state

    async def skip(self: Welcome, active: ActiveRoom, since: int | None) -> Page | Replay:
        state = await state_of(self, active, since)
        return Replay(state.events[:-1], state.since, state.through) if isinstance(state, Replay) else state

    Welcome._state = skip  # type: ignore[method-assign]


def hurry() -> None:
    """Run every job often, so that what heals within a second heals at once."""
    add = Jobs.add

    def soon(self: Jobs, job: Job, *, everywhere: bool = False) -> None:
        add(self, Job(job.name, min(job.seconds, HURRY_SECONDS), job.run), everywhere=everywhere)

    Jobs.add = soon  # type: ignore[method-assign]
    anonchat.jobs.TICK_SECONDS = HURRY_SECONDS


FAULTS: dict[str, Callable[..., None]] = {
    fault.__name__: fault for fault in (early_ack, lost_publications, skipped_replay)
}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    FAULTS[name](*arguments)
    main(["serve"])

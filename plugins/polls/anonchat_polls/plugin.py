"""The plugin: one class, whose methods are hooks. Each of them is described in anonchat's docs/plugins.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from anonchat import (
    ChatError,
    ClientEvent,
    Job,
    Message,
    PluginContext,
    Room,
    Route,
    Session,
    Transaction,
    hookimpl,
)
from anonchat_polls import statements
from anonchat_polls.ballots import BallotBoxes
from anonchat_polls.closing import Closing
from anonchat_polls.declared import Declared
from anonchat_polls.pages import Pages
from anonchat_polls.poll import is_poll, row_of
from anonchat_polls.recall import Recall
from anonchat_polls.requests import Requests
from anonchat_polls.schemas import CreatePoll, ExportQuery, ListQuery, OneOrMore, PollId, PollList, Vote
from anonchat_polls.telling import Telling
from anonchat_polls.views import Views
from anonchat_polls.votes import forget

TELL_SECONDS = 0.25
CLOSE_SECONDS = 0.5
RECALL_SECONDS = 5.0
PRUNE_SECONDS = 20.0


class Polls(Declared):
    """Polls are messages; votes in them are rows, or, where they are secret, nothing but numbers in memory."""

    # --- what the plugin declares, beside `Declared`

    @hookimpl
    def register_client_events(self) -> Sequence[ClientEvent]:
        return [
            ClientEvent(
                "create_poll", CreatePoll(), lambda call: self.requests.create(call), limit="10/minute",
                summary="Ask the room; for moderators, or with `create = \"everyone\"` for all.",
            ),
            ClientEvent(
                "vote", Vote(), lambda call: self.requests.vote(call), limit="60/minute",
                summary="Vote, or with `change` vote anew.",
            ),
            ClientEvent(
                "unvote", OneOrMore(), lambda call: self.requests.unvote(call), limit="60/minute",
                summary="Take votes back: all of them where no option is named.",
            ),
            ClientEvent(
                "close_poll", PollId(), lambda call: self.requests.close(call), limit="60/minute",
                summary="Close a poll for good; for moderators, and for who made it.",
            ),
            ClientEvent(
                "get_poll_results", PollId(), lambda call: self.requests.results(call), limit="60/minute",
                summary="The present state of a poll.",
            ),
        ]  # fmt: skip

    @hookimpl
    def register_routes(self) -> Sequence[Route]:
        path = "/api/rooms/{roomId}/polls"
        return [
            Route(
                "GET", path, lambda request: self.pages.list(request), auth="participant", query=ListQuery(),
                answer=PollList(), limit="120/minute", summary="The room's polls, newest first",
            ),
            Route(
                "GET", path + "/{pollId}/export", lambda request: self.pages.export(request), auth="participant",
                query=ExportQuery(), limit="60/minute", summary="A poll and its votes as JSON or CSV",
            ),
        ]  # fmt: skip

    @hookimpl
    def register_jobs(self) -> Sequence[Job]:
        return [
            Job("tell", TELL_SECONDS, lambda: self.telling.tell()),
            Job("close", CLOSE_SECONDS, lambda: self.closing.close_due()),
            Job("recall", RECALL_SECONDS, lambda: self.recall.look()),
            Job("prune", PRUNE_SECONDS, lambda: self.closing.prune()),
        ]

    # --- what the plugin does

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx
        self.boxes = BallotBoxes(ctx)
        self.telling = Telling(ctx)
        self.closing = Closing(ctx, self.boxes, self.telling)
        self.recall = Recall(ctx, self.boxes)
        self.views = Views(ctx, self.boxes)
        self.pages = Pages(self.views)
        self.requests = Requests(ctx, self.boxes, self.closing, self.views)

    @hookimpl
    async def write_messages(self, tx: Transaction, messages: Sequence[Message]) -> None:
        """A poll begins in the transaction in which its message becomes visible, also if that was held."""
        rows = [row_of(message) for message in messages if is_poll(message.content)]
        if not rows:
            return
        fresh = Counter(row["room_id"] for row in rows)
        # The room's row is locked since the message took its seq, so nobody else opens a poll at the same time.
        for row in await tx.fetch_all(statements.COUNT_OPEN, {"rooms": list(fresh)}):
            fresh[row["room_id"]] += row["open"]
        if max(fresh.values()) > self.ctx.config["most_open"]:
            raise ChatError("polls.too_many_open", "Close a poll of this room before you open another.")
        await tx.execute_many(statements.INSERT_POLL, rows)

    @hookimpl
    async def write_forgotten(self, tx: Transaction, session: Session) -> None:
        """Votes in open polls are taken back, those in hidden ones become nobody's. Secret ones cannot be taken back, for
        nobody knows which they are; but nothing says any more that one has voted, once the poll is closed.
        """
        await tx.lock_room(session.room_id)  # room before poll, as everywhere
        await forget(tx, session)

    @hookimpl
    async def extend_messages(self, messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        return await self.views.of_messages(messages)

    @hookimpl
    async def extend_welcome(self) -> Mapping[str, Any]:
        """So that clients offer to make a poll only to those who may."""
        return {"create": self.ctx.config["create"]}

    @hookimpl
    async def extend_state(self, session: Session) -> Mapping[str, Mapping[str, Any]]:
        """All open polls with one's own votes, also where there is none: it takes the place of what a client knew."""
        return {"open_polls": {"polls": await self.views.open_in(session)}}

    @hookimpl
    async def message_deleted(self, room_id: str) -> None:
        await self.closing.prune(room_id)

    @hookimpl
    async def purge_room(self, room_id: str) -> Mapping[str, int]:
        await self.boxes.clear(await self.boxes.listed(room_id))
        return {}

    @hookimpl
    async def export_room(self, room: Room) -> Mapping[str, Any]:
        return await self.pages.of_room(room)

    @hookimpl
    async def extend_privacy(self) -> Mapping[str, str]:
        return {
            "polls": "Votes in open and hidden polls are kept with the poll; of who leaves and is forgotten those in open "
            "ones are deleted, and those in hidden ones stay without saying whose they are. Of a secret poll nothing is "
            "stored until it closes; then who has voted and how many chose what, and never who chose what."
        }

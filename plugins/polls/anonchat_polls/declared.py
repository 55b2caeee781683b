"""What the plugin declares that needs nothing of it: settings, tables, events that it sends, metrics, hooks for others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import marshmallow

from anonchat import Metric, ServerEvent, Tables, Transaction, WebAssets, hookimpl, hookspec
from anonchat_polls import schemas
from anonchat_polls.tables import metadata


class Offered:
    """Hooks for other plugins, which mark their implementations ``@hookimpl(optionalhook=True)``."""

    @hookspec
    async def polls_voted(
        self, room_id: str, poll_id: str, message_id: str, owner_id: str, voters: int, others: int
    ) -> None:
        """Votes have changed: `voters` people have voted now. At most twice a second for each poll.

        Of a secret poll nothing is told before its close. `owner_id` is the session that made the poll, `others` are
        the voters without it.
        """

    @hookspec
    async def write_poll_closed(
        self, tx: Transaction, room_id: str, poll_id: str, message_id: str, owner_id: str
    ) -> None:
        """A poll is being closed in this transaction."""


class Declared:
    """The hooks that declare."""

    @hookimpl
    def register_web_assets(self) -> WebAssets:
        """Cards of polls in the web client."""
        return WebAssets(Path(__file__).parent / "static", "polls.mjs")

    @hookimpl
    def register_config_schema(self) -> type[marshmallow.Schema]:
        return schemas.Settings

    @hookimpl
    def register_tables(self) -> Tables:
        return Tables(metadata, Path(__file__).parent / "migrations")

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [
            ServerEvent("poll_created", schemas.PollCreated(), summary="The answer to create_poll."),
            ServerEvent("poll_held", schemas.PollHeld(), summary="The answer to create_poll where it has to wait."),
            ServerEvent("vote_recorded", schemas.Recorded(), summary="The answer to vote."),
            ServerEvent("vote_pending", schemas.Pending(), summary="The answer to vote in a secret poll."),
            ServerEvent("vote_removed", schemas.Recorded(), summary="The answer to unvote."),
            ServerEvent("poll_update", schemas.Update(), durable=True, summary="Votes have changed."),
            ServerEvent("poll_closed", schemas.Closed(), durable=True, summary="A poll is over; the result."),
            ServerEvent("poll_results", schemas.Results(), summary="The state of a poll, as one may see it."),
            ServerEvent(
                "votes_lost",
                schemas.Lost(),
                summary="Votes in secret polls are not known any more: ask, and vote again.",
            ),
            ServerEvent("open_polls", schemas.OpenPolls(), summary="The open polls, with one's own votes."),
        ]

    @hookimpl
    def register_metrics(self) -> Sequence[Metric]:
        return [
            Metric("made", "counter", "Polls that were made.", labels=("secrecy",)),
            Metric("votes", "counter", "Votes cast in open and hidden polls."),
        ]

    @hookimpl
    def register_hookspecs(self) -> Sequence[object]:
        return [Offered]

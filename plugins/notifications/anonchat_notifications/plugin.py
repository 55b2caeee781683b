"""The plugin: one class, whose methods are hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import marshmallow

from anonchat import (
    ClientEvent,
    Draft,
    Edit,
    Message,
    PluginContext,
    Route,
    ServerEvent,
    Session,
    Tables,
    Transaction,
    WebAssets,
    hookimpl,
)
from anonchat_notifications import statements
from anonchat_notifications.directory import Directory, Holder
from anonchat_notifications.entries import concerns
from anonchat_notifications.inbox import Inbox
from anonchat_notifications.mentions import EVERYBODY, candidates, chosen
from anonchat_notifications.requests import Requests
from anonchat_notifications.schemas import Notification, NotificationPage, Preferences, Settings
from anonchat_notifications.tables import metadata
from anonchat_notifications.writing import Writing

MOST_MENTIONS = 5
FOR_EVER = 2**62  # above every time in milliseconds
GOING = ("kick", "ban")  # who is sent away has no inbox any more


class Declared:
    """The hooks that declare."""

    def __init__(self) -> None:
        self.requests = Requests()

    @hookimpl
    def register_web_assets(self) -> WebAssets:
        """The list of what concerns one, in the web client."""
        return WebAssets(Path(__file__).parent / "static", "notifications.mjs")

    @hookimpl
    def register_config_schema(self) -> type[marshmallow.Schema]:
        return Settings

    @hookimpl
    def register_tables(self) -> Tables:
        return Tables(metadata, Path(__file__).parent / "migrations")

    @hookimpl
    def register_client_events(self) -> Sequence[ClientEvent]:
        return self.requests.client_events()

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [
            ServerEvent("notification", Notification(), summary="Something concerns one."),
            ServerEvent("notifications", NotificationPage(), summary="What is unread, or the page that was asked for."),
            ServerEvent("notification_preferences", Preferences(), summary="What one wants, and whom one ignores."),
        ]

    @hookimpl
    def register_routes(self) -> Sequence[Route]:
        return self.requests.routes()


class Notifications(Declared):
    """Tells people what concerns them: at once if they are there, and when they come if not."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx
        self.writing = Writing(ctx)
        self.directory = Directory(ctx)
        self.inbox = Inbox(ctx)
        self.requests.open(ctx, self.inbox)

    # --- mentions: who is meant is decided once, while the names are those that the author saw

    @hookimpl
    async def filter_message(self, draft: Draft) -> Draft | None:
        """Names become `mentions`, and the sessions that hold them ``content.mentionIds``."""
        text = draft.content.get("text", "")
        if "@" not in text:
            return None
        people, everybody = await self._meant(draft.room_id, text)
        meant: dict[str, Any] = {"mentionIds": [session.id for session in people]} if people else {}
        if everybody and draft.session.is_moderator:
            await self.ctx.limits.hit("room", self.ctx.config["room_mentions"], draft.room_id)
            meant["mentionsRoom"] = True
        if not meant:
            return None
        names = tuple(session.username for session in people)
        return replace(draft, content={**draft.content, **meant}, mentions=names)

    @hookimpl
    async def filter_edit(self, edit: Edit) -> Edit | None:
        """The mentions of the new text. They notify nobody: who is to hear of something is told it anew."""
        text = edit.content["text"]
        if "@" not in text:
            return replace(edit, mentions=()) if edit.mentions else None
        people, everybody = await self._meant(edit.message.room_id, text)
        meant: dict[str, Any] = {"mentionIds": [session.id for session in people]} if people else {}
        if everybody and "mentionsRoom" in edit.message.content:
            meant["mentionsRoom"] = True
        names = tuple(session.username for session in people)
        return replace(edit, content={**edit.content, **meant}, mentions=names)

    async def _meant(self, room_id: str, text: str) -> tuple[list[Holder], bool]:
        """Whom a text mentions, at most five, and whether it mentions everybody."""
        marks = candidates(text)
        if not marks:
            return [], False
        found = await self.directory.find(room_id, marks)
        names = chosen(marks, found)
        return [found[name] for name in names if name != EVERYBODY][:MOST_MENTIONS], EVERYBODY in names

    # --- writing and telling, in the transactions of others

    @hookimpl
    async def write_messages(self, tx: Transaction, messages: Sequence[Message]) -> None:
        concerning = [message for message in messages if concerns(message)]
        if concerning:
            await self.writing.of_messages(tx, concerning)

    @hookimpl
    async def write_forgotten(self, tx: Transaction, session: Session) -> None:
        """Nobody's list of ignored people keeps the id; all else goes with the session and its messages."""
        await tx.execute(statements.DELETE_IGNORED, {"room": session.room_id, "session": session.id})

    @hookimpl(optionalhook=True)
    async def write_moderated(
        self, tx: Transaction, room_id: str, act: str, session_id: str, until: int | None
    ) -> None:
        """An act of moderation on somebody."""
        if act == "mute":
            until_when = FOR_EVER if until is None else until
            muted = {"session_id": session_id, "room_id": room_id, "until": until_when}
            await tx.execute(statements.UPSERT_MUTED, muted)
        elif act == "unmute":
            await tx.execute(statements.DELETE_MUTED, {"session": session_id})
        if act not in GOING:
            await self.writing.of_act(tx, room_id, act, session_id, until)

    @hookimpl(optionalhook=True)
    async def write_poll_closed(self, tx: Transaction, room_id: str, message_id: str, owner_id: str) -> None:
        """A poll is closed; for everybody but its owner."""
        await self.writing.of_closed_poll(tx, room_id, message_id, owner_id)

    # --- after the commit

    @hookimpl
    async def session_joined(self, session: Session) -> None:
        self.directory.forget(session.room_id)

    @hookimpl
    async def session_left(self, session: Session) -> None:
        self.directory.forget(session.room_id)

    @hookimpl(optionalhook=True)
    async def polls_voted(self, room_id: str, message_id: str, owner_id: str, others: int) -> None:
        """So many others have voted in somebody's poll."""
        if others:
            await self.ctx.db.transaction(
                lambda tx: self.writing.of_votes(tx, room_id, message_id, owner_id, others), room_id
            )

    @hookimpl
    async def purge_room(self, room_id: str) -> Mapping[str, int]:
        """The names that are at hand."""
        self.directory.forget(room_id)
        return {}

    # --- coming

    @hookimpl
    async def extend_state(self, session: Session) -> Mapping[str, Mapping[str, Any]]:
        return {"notifications": await self.ctx.db.read(lambda tx: self.inbox.page(tx, session))}

    @hookimpl
    async def extend_privacy(self) -> Mapping[str, str]:
        most = self.ctx.config["kept_per_person"]
        return {
            "notifications": "Notifications say that a message concerns you, and hold no text of it. They go with the message, "
            f"or when your session ends; at most {most} are kept for each person."
        }

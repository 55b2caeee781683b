"""The plugin: one class, whose methods are hooks. What they do is in the parts that `Declared` puts together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat import (
    Applicant,
    Denied,
    Draft,
    Edit,
    Event,
    Held,
    Message,
    PluginContext,
    Rejected,
    Room,
    Session,
    Transaction,
    hookimpl,
    iso,
)
from anonchat_moderation.declared import Declared
from anonchat_moderation.upkeep import forget, privacy

TAKING_AWAY = ("message_deleted", "messages_removed")


class Moderation(Declared):
    """Keeping a crowd of strangers civil: kick, ban, mute, rules, reports, a log."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.acts.open(ctx)
        self.content.rooms.open()
        await self.content.sent_away.drop_left()  # before anything is released

    # --- before something happens

    @hookimpl
    async def check_join(self, room: Room, applicant: Applicant) -> Denied | None:
        return await self.bans.check_join(room.id, applicant) or await self.content.names.check_join(room.id, applicant)

    @hookimpl
    async def check_connect(self, session: Session, network: str) -> Denied | None:
        return await self.bans.check_connect(session, network)

    @hookimpl
    async def check_typing(self, session: Session) -> Denied | None:
        if (muted := await self.mutes.check(session)) is not None:
            return Denied(muted.code, muted.text, muted.retry_after_ms)
        return await self.content.check_typing(session)

    @hookimpl
    async def filter_message(self, draft: Draft) -> Draft | Rejected | Held | None:
        return await self.content.gate.message(draft)

    @hookimpl
    async def filter_edit(self, edit: Edit) -> Edit | Rejected | None:
        return await self.content.gate.edit(edit)

    # --- when something happens

    @hookimpl
    async def write_deleted(self, tx: Transaction, message: Message, session: Session) -> None:
        await self.purges.deleted(tx, message, session)

    @hookimpl
    async def message_deleted(self, message_id: str, room_id: str, by: str) -> None:
        self.content.held.deleted(room_id, message_id, by)

    @hookimpl
    async def event_saved(self, event: Event) -> None:
        """Reports go with their messages, whoever deletes those."""
        if event.name in TAKING_AWAY:
            await self.reports.tell_waiting(event.room_id)

    @hookimpl
    async def role_changed(self, session: Session) -> None:
        """Who was promoted sees at once what waits, and who was demoted does not any more."""
        for event, data in (await self.extend_state(session)).items():
            self.acts.ctx.rooms.send(session.room_id, session.id, event, data)

    @hookimpl
    async def session_left(self, session: Session, reason: str) -> None:
        await self.networks.forget(session.id)
        await self.content.left(session, reason)

    @hookimpl
    async def purge_room(self, room_id: str) -> Mapping[str, int]:
        """What lies outside of the database, as far as this node has it in memory."""
        await self.networks.forget_room(room_id)
        for part in (self.bans, self.mutes, self.content.rooms):
            part.forget(room_id)
        return {}

    @hookimpl
    async def message_held(self, message: Message, held: Held) -> None:
        self.content.held.arrived(message, held)

    @hookimpl
    async def write_forgotten(self, tx: Transaction, session: Session) -> None:
        await self.reports.forget(tx, session)
        await forget(tx, session)

    @hookimpl
    async def extend_state(self, session: Session) -> Mapping[str, Mapping[str, Any]]:
        """What holds in the room and what waits; for moderators, how many reports; until when one may not speak."""
        state = dict(await self.content.state(session))
        if session.is_moderator:
            state["report_count"] = {"open": await self.reports.waiting(session)}
        if (mute := await self.mutes.of(session)) is not None:
            state["muted"] = {"until": iso(mute.until), "reason": mute.reason}
        return state

    @hookimpl
    async def extend_privacy(self) -> Mapping[str, str]:
        return privacy(self.acts.ctx.config)

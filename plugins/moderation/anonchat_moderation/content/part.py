"""All about content in one object: what it declares, and what the plugin hands to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anonchat import Denied, ServerEvent, Session
from anonchat_moderation.acts import Acts
from anonchat_moderation.content import schemas
from anonchat_moderation.content.controls import Controls
from anonchat_moderation.content.gate import Gate
from anonchat_moderation.content.held import HeldMessages
from anonchat_moderation.content.names import Names
from anonchat_moderation.content.room_rules import RoomRules
from anonchat_moderation.content.sent_away import SentAway
from anonchat_moderation.content.tally import Tally
from anonchat_moderation.content.verdicts import REASONS
from anonchat_moderation.content.waiting import Waiting
from anonchat_moderation.log import Log
from anonchat_moderation.mutes import Mutes
from anonchat_moderation.routes import Act

NOTHING, HELD_ID = schemas.NoData(), schemas.HeldId()
ENDED = frozenset({"left", "expired"})  # sessions whose held messages go on waiting


class Content:
    """The moderation of what is written."""

    def __init__(self, acts: Acts, log: Log, mutes: Mutes) -> None:
        self._acts = acts
        tally, waiting = Tally(acts, log), Waiting(acts)
        self.rooms = RoomRules(acts)
        self.names = Names(self.rooms)
        self.held = HeldMessages(acts, log, waiting, tally)
        self.sent_away = SentAway(acts, log, self.held)
        self.gate = Gate(acts, mutes, self.rooms, waiting, tally)
        self.controls = Controls(acts, log, self.rooms, self.held, tally)

    def acts(self) -> Sequence[Act]:
        """What moderators can do, by an event and by a route."""
        controls, held = self.controls, self.held
        state, report = schemas.Moderation(), schemas.PanicReport()
        return (
            Act("get_moderation", "GET", "/moderation", NOTHING, controls.get, state, "What holds in the room",
                answer="moderation"),
            Act("set_moderation", "PATCH", "/moderation", schemas.SetModeration(), controls.set, state,
                "Set preset, slow mode and rules", answer="moderation"),
            Act("panic", "POST", "/panic", NOTHING, controls.panic, state,
                "Freeze newcomers, slow down, hold links", answer="moderation"),
            Act("calm", "POST", "/calm", schemas.Calm(), controls.calm, report, "End the panic", answer="panic_report"),
            Act("get_held_messages", "GET", "/held-messages", NOTHING, held.read, schemas.HeldList(), "What waits",
                answer="held_messages"),
            Act("release_message", "POST", "/held-messages/{messageId}/release", HELD_ID, held.release,
                schemas.HeldReleased(), "Show a held message to all", body=NOTHING, answer="message_released"),
            Act("drop_message", "DELETE", "/held-messages/{messageId}", HELD_ID, held.drop, schemas.HeldDropped(),
                "Delete a held message", answer="message_dropped"),
        )  # fmt: skip

    @staticmethod
    def server_events() -> Sequence[ServerEvent]:
        """What is told."""
        return (
            ServerEvent("moderation_changed", schemas.ModerationChanged(), durable=True, summary="What holds now."),
            ServerEvent("moderation", schemas.Moderation(), summary="What holds, at identify and as an answer."),
            ServerEvent("held_message", schemas.HeldShown(), summary="A message waits; to moderators and its author."),
            ServerEvent("held_messages", schemas.HeldList(), summary="What waits; to participants their own."),
            ServerEvent("message_released", schemas.HeldReleased(), summary="A moderator has let a message through."),
            ServerEvent("message_dropped", schemas.HeldDropped(), summary="A held message was deleted."),
            ServerEvent("panic_report", schemas.PanicReport(), summary="The panic is over; to moderators."),
        )

    async def state(self, session: Session) -> Mapping[str, Mapping[str, Any]]:
        """What a connection is sent at identify."""
        return {
            "moderation": await self.controls.at_identify(session),
            "held_messages": await self.held.shown_to(session),
        }

    async def check_typing(self, session: Session) -> Denied | None:
        """Nobody is told of what somebody types whose messages are all held."""
        if session.is_moderator:
            return None
        state = self.rooms.at_hand(session.room_id, self._acts.now) or await self.rooms.of(session.room_id)
        return Denied("message_refused", REASONS["panic"]) if state.is_frozen(session) else None

    async def left(self, session: Session, reason: str) -> None:
        """A session is over."""
        if reason in ENDED:
            await self.held.left(session.room_id, session.id)
        else:
            await self.sent_away.drop_of(session.room_id, [session.id])

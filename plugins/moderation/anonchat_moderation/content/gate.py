"""The way in for messages: the rules of the room are asked, and what they answer is kept in mind."""

from __future__ import annotations

from anonchat import ChatError, Draft, Edit, Held, Rejected, Session
from anonchat_moderation.acts import Acts, mark_of
from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.memory import CROWDS, SENDERS, Crowd, Recent, Sender
from anonchat_moderation.content.room_rules import RoomRules, RoomState
from anonchat_moderation.content.slow_mode import SlowMode
from anonchat_moderation.content.tally import Tally
from anonchat_moderation.content.verdicts import REASONS, Facts, Verdict
from anonchat_moderation.content.waiting import Waiting
from anonchat_moderation.mutes import Mutes


class Gate:
    """Decides on messages and edits. Moderators pass."""

    def __init__(self, acts: Acts, mutes: Mutes, rooms: RoomRules, waiting: Waiting, tally: Tally) -> None:
        self._acts = acts
        self._mutes = mutes
        self._rooms = rooms
        self._waiting = waiting
        self._tally = tally
        self._slow_mode = SlowMode(acts)
        self._senders = Recent(Sender, SENDERS)
        self._crowds = Recent(Crowd, CROWDS)

    async def message(self, draft: Draft) -> Rejected | Held | None:
        """The filter's answer to a message. Costs two look-ups in dictionaries where nothing is asked."""
        session, now = draft.session, self._acts.now
        state = self._at_hand(session, now) or await self._find_out(session)
        if isinstance(state, Rejected):
            return state
        if session.is_moderator or state.is_free:
            return None
        if state.is_frozen(session):
            return await self._hold(draft, Verdict("panic", "hold"), state)
        text, facts = Text(draft.content["text"]), self._facts(session, draft.client_msg_id, now)
        verdict = judge(state, text, facts)
        if verdict is not None and verdict.action == "refuse":
            return await self._refuse(verdict, facts, session)
        if state.slow_mode_seconds:
            wait = await self._slow_mode.take(session, draft.client_msg_id, state.slow_mode_seconds)
            if wait:
                return Rejected("slow_mode", retry_after_ms=wait)
        facts.sender.times.append(now)
        answer = await self._hold(draft, verdict, state) if verdict is not None else None
        if not isinstance(answer, Rejected):
            self._remember(state, text, facts)
        return answer

    async def edit(self, edit: Edit) -> Rejected | None:
        """The filter's answer to an edit: what would be held is refused, since an edit cannot wait."""
        session, now = edit.session, self._acts.now
        state = self._at_hand(session, now) or await self._find_out(session)
        if isinstance(state, Rejected):
            return state
        if session.is_moderator or state.is_free:
            return None
        if state.is_frozen(session):
            return Rejected("message_refused", REASONS["panic"])
        text, before = Text(edit.content["text"]), Text(edit.message.content["text"])
        facts = self._facts(session, edit.message.id, now, before)
        verdict = judge(state, text, facts)
        if verdict is not None:
            return await self._refuse(verdict, facts, session)
        facts.sender.times.append(now)
        self._remember(state, text, facts)
        return None

    def _at_hand(self, session: Session, now: int) -> RoomState | None:
        """What holds for somebody, if all of it is at hand, and nobody in the room is muted."""
        return self._rooms.at_hand(session.room_id, now) if self._mutes.has_none(session.room_id, now) else None

    async def _find_out(self, session: Session) -> RoomState | Rejected:
        """What holds for somebody, or that they are muted."""
        return await self._mutes.check(session) or await self._rooms.of(session.room_id)

    def _facts(self, session: Session, client_msg_id: str, now: int, edited: Text | None = None) -> Facts:
        person, send = mark_of(session), f"{session.id}:{client_msg_id}"
        sender, crowd = self._senders.get(person), self._crowds.get(session.room_id)
        return Facts(now, person, send, session.created_at, sender, crowd, edited)

    async def _refuse(self, verdict: Verdict, facts: Facts, session: Session) -> Rejected:
        """What is refused counts for flooding, too. Who floods is muted, which moderators see and can undo.

        An edit is also refused where a message would be held for a time: that mutes nobody.
        """
        if verdict.action != "refuse" or verdict.until is None:
            facts.sender.times.append(facts.now)
        elif await self._mutes.has_place(session.room_id):
            await self._mute(session, verdict.until, verdict.reason, facts.sender)
        return Rejected(verdict.code, verdict.reason, verdict.retry_after_ms)

    async def _mute(self, session: Session, until: int, reason: str, sender: Sender) -> None:
        try:
            await self._mutes.put(session, until, reason, None)
        except ChatError as error:
            self._acts.ctx.log.warning("who floods could not be muted", code=error.code)
        else:
            sender.times.clear()

    def _remember(self, state: RoomState, text: Text, facts: Facts) -> None:
        """What was let in, or waits: somebody sees it."""
        if facts.edited is None:
            facts.sender.sent += 1
        if state.rules.repeats.is_on:
            state.rules.repeats.remember(text, facts)

    async def _hold(self, draft: Draft, verdict: Verdict, state: RoomState) -> Rejected | Held:
        if await self._waiting.admit(draft.room_id, draft.session.id):
            return Held(verdict.until, verdict.reason)
        if state.newcomers_since is not None:
            self._tally.add(draft.room_id, "dropped")
        return Rejected("message_refused", REASONS["waiting"])


def judge(state: RoomState, text: Text, facts: Facts) -> Verdict | None:
    """The first refusal of a rule, else the first hold. Changes nothing."""
    held = None
    for rule in state.active:
        verdict = rule.judge(text, facts)
        if verdict is None:
            continue
        if verdict.action == "refuse":
            return verdict
        held = held or verdict
    return held

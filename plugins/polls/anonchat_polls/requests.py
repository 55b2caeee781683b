"""What clients ask for over the WebSocket. Everything ends in an answer or a coded error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anonchat import Call, ChatError, PluginContext, Receipt, Session, iso, new_id
from anonchat_polls import statements
from anonchat_polls.ballots import BallotBoxes, voter_of
from anonchat_polls.closing import Closing
from anonchat_polls.poll import Poll, content_of, poll_of
from anonchat_polls.secrecy import SECRET, sentence
from anonchat_polls.views import Views
from anonchat_polls.votes import Votes


class Requests:
    """One method for each client event."""

    def __init__(self, ctx: PluginContext, boxes: BallotBoxes, closing: Closing, views: Views) -> None:
        self._ctx = ctx
        self._boxes = boxes
        self._closing = closing
        self._views = views
        self._votes = Votes(ctx)

    async def create(self, call: Call) -> None:
        """`create_poll`: a message with the poll in it. Its row is written with the message, see `write_messages`."""
        if self._ctx.config["create"] == "moderators" and not (await self._present(call)).is_moderator:
            raise ChatError("not_moderator")
        self._check_lengths(call.data)
        secrecy = call.data["secrecy"]
        text = sentence(secrecy, self._ctx.config["secret_minimum"])
        content = content_of(call.data, text, self._seconds(secrecy, call.data["closes_in_seconds"]))
        key = call.data["client_msg_id"] or new_id()
        receipt = await self._ctx.messages.send(call.session, content, client_msg_id=key)
        if receipt.seq is None and receipt.held_reason is not None:
            call.answer("poll_held", _held_wire(receipt))
            return
        rows = await self._ctx.db.fetch_all(statements.SELECT_OF_MESSAGES, {"messages": [receipt.message_id]})
        if not rows:
            raise ChatError("conflict", "What was sent with this clientMsgId is no poll, or is deleted.")
        poll = poll_of(rows[0])
        if poll.id == content["pollId"]:  # else it was made by an earlier attempt
            self._ctx.metrics["made"].labels(secrecy).inc()  # type: ignore[union-attr]
        created = {"pollId": poll.id, "messageId": poll.message_id, "seq": receipt.seq, "clientMsgId": key}
        call.answer("poll_created", created)

    def _check_lengths(self, asked: Mapping[str, Any]) -> None:
        """Raise `validation_failed` for more than the operator allows."""
        config = self._ctx.config
        errors: dict[str, list[str]] = {}
        if len(asked["question"]) > config["question_length"]:
            errors["question"] = [f"At most {config['question_length']} characters."]
        if len(asked["options"]) > config["most_options"]:
            errors["options"] = [f"At most {config['most_options']} options."]
        elif any(len(option) > config["option_length"] for option in asked["options"]):
            errors["options"] = [f"At most {config['option_length']} characters each."]
        if (asked["closes_in_seconds"] or 0) > config["longest_seconds"]:
            errors["closesInSeconds"] = [f"At most {config['longest_seconds']} seconds."]
        if errors:
            raise ChatError("validation_failed", errors=errors)

    def _seconds(self, secrecy: str, asked: int | None) -> int | None:
        """After how long it closes by itself. A secret poll always does: its votes cannot be kept in memory for ever."""
        return self._ctx.config["longest_seconds"] if asked is None and secrecy == SECRET else asked

    async def vote(self, call: Call) -> None:
        """`vote`. A secret one is counted in memory and leaves no other trace: no row, no event, no metric, no log."""
        poll, options = await self._asked(call)
        poll.check_votable(self._ctx.clock.now())
        if len(options) > 1 and not poll.multiple:
            problem = "This poll takes one option."
            raise ChatError("validation_failed", problem, errors={"optionIds": [problem]})
        if poll.is_secret:
            room = await self._ctx.rooms.find(poll.room_id)
            await self._present(call)  # last of all: a vote that is counted cannot be taken out again
            await self._boxes.cast(poll, voter_of(room, poll, call.session.id), options)
            call.answer("vote_pending", {"pollId": poll.id})
            return
        own = await self._votes.cast(poll, call.session, options, change=call.data["change"])
        self._ctx.metrics["votes"].inc()  # type: ignore[union-attr]
        self._answer_tabs(call, "vote_recorded", poll, own)

    async def unvote(self, call: Call) -> None:
        """`unvote`: some options, or without any all of them."""
        poll, options = await self._asked(call)
        poll.check_votable(self._ctx.clock.now())
        if poll.is_secret:
            raise ChatError("polls.vote_final", "A vote in a secret poll is final.")
        every = range(1, len(poll.options) + 1)
        own = await self._votes.withdraw(poll, call.session, options or every)
        self._answer_tabs(call, "vote_removed", poll, own)

    def _answer_tabs(self, call: Call, event: str, poll: Poll, own: Sequence[int]) -> None:
        """Answer with what one has voted for now, and tell the other tabs of the session, too."""
        data = {"pollId": poll.id, "optionIds": [str(option) for option in own]}
        call.answer(event, data)
        self._ctx.rooms.send(call.room_id, call.session.id, event, data)

    async def close(self, call: Call) -> None:
        """`close_poll`: by a moderator, or by who made it. The answer is the result."""
        poll = await self._find(call)
        by = await self._present(call)  # before a secret poll is sealed
        if not by.is_moderator and poll.owner_id != by.id:
            raise ChatError("not_moderator")
        poll.check_votable(self._ctx.clock.now())
        await self._closing.close(poll, self._ctx.clock.now(), by)
        await self.results(call)

    async def results(self, call: Call) -> None:
        """`get_poll_results`: the present state, as the asker may see it."""
        call.answer("poll_results", await self._views.one(call.data["poll_id"], call.session))

    async def _present(self, call: Call) -> Session:
        """Who asks, as they are by now. Raises `session_expired` for who has left."""
        session = await self._ctx.sessions.get(call.session.id)
        if session is None:
            raise ChatError("session_expired")
        return session

    async def _find(self, call: Call) -> Poll:
        wanted = {"poll": call.data["poll_id"], "room": call.room_id}
        row = await self._ctx.db.fetch_one(statements.SELECT_POLL, wanted)
        if row is None:
            raise ChatError("poll_not_found")
        return poll_of(row)

    async def _asked(self, call: Call) -> tuple[Poll, Sequence[int]]:
        """The poll and the options that are meant. Raises `poll_not_found`, `unknown_option`."""
        poll = await self._find(call)
        return poll, poll.numbers_of(call.data["option_ids"])


def _held_wire(receipt: Receipt) -> dict[str, Any]:
    return {
        "messageId": receipt.message_id,
        "clientMsgId": receipt.client_msg_id,
        "releaseAt": None if receipt.held_until is None else iso(receipt.held_until),
        "reason": receipt.held_reason or "",
    }

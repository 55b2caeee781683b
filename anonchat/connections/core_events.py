"""The core's own client and server events, declared exactly as a plugin declares its events."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat.clock import Clock, iso
from anonchat.connections.backlog import Backlog
from anonchat.delivery.relay import Relay
from anonchat.errors import ChatError
from anonchat.messages.intake import Intake
from anonchat.messages.messages import Messages
from anonchat.models import Audience, Receipt
from anonchat.people.presence import Presence
from anonchat.people.sessions import Sessions
from anonchat.plugins.declarations import Call, ClientEvent, ServerEvent
from anonchat.plugins.dispatch import Dispatcher
from anonchat.protocol import schemas, shapes


class CoreEvents:
    """Handlers of what every client can send once it is identified."""

    def __init__(
        self,
        intake: Intake,
        messages: Messages,
        sessions: Sessions,
        presence: Presence,
        relay: Relay,
        backlog: Backlog,
        clock: Clock,
        dispatcher: Dispatcher,
    ) -> None:
        self._intake = intake
        self._messages = messages
        self._sessions = sessions
        self._presence = presence
        self._relay = relay
        self._backlog = backlog
        self._clock = clock
        self._dispatcher = dispatcher

    def client_events(self) -> Sequence[ClientEvent]:
        """What clients may send."""
        return (
            ClientEvent("send_message", schemas.SendMessage(), self.send_message, summary="Send a message."),
            ClientEvent("edit_message", schemas.EditMessage(), self.edit_message, summary="Change one's own message."),
            ClientEvent("delete_message", schemas.MessageId(), self.delete_message, summary="Delete a message."),
            ClientEvent("typing", schemas.Typing(), self.typing, summary="Tell that one is typing, or has stopped."),
            ClientEvent(
                "get_history", schemas.GetHistory(), self.get_history, summary="Ask for older or newer messages."
            ),
            ClientEvent("get_presence", schemas.Nothing(), self.get_presence, summary="Ask who is there."),
            ClientEvent("heartbeat", schemas.Nothing(), self.heartbeat, summary="Ask for the time and one's position."),
            ClientEvent("leave", schemas.Leave(), self.leave, summary="End the session."),
        )

    @staticmethod
    def server_events() -> Sequence[ServerEvent]:
        """What the core sends."""
        return (
            *(ServerEvent(name, schema, durable=True) for name, schema in shapes.DURABLE.items()),
            *(ServerEvent(name, schema) for name, schema in shapes.PASSING.items()),
        )

    async def send_message(self, call: Call) -> None:
        def done(outcome: Receipt | ChatError) -> None:
            if isinstance(outcome, ChatError):
                call.fail(outcome)
            elif outcome.seq is None and outcome.held_reason is not None:
                call.answer("message_held", schemas.held_wire(outcome))
            elif outcome.seq is None:
                call.fail(ChatError("message_not_found", "This message was held, and is deleted by now."))
            else:
                call.answer("message_ack", schemas.ack_wire(outcome))

        await self._intake.send(call.session, call.data, done)

    async def edit_message(self, call: Call) -> None:
        message = await self._messages.edit(call.session, call.data["message_id"], call.data["text"])
        call.answer("edit_ack", {"messageId": message.id, "seq": message.changed_seq})

    async def delete_message(self, call: Call) -> None:
        await self._messages.delete(call.session, call.data["message_id"])
        call.answer("delete_ack", {"messageId": call.data["message_id"]})

    async def typing(self, call: Call) -> None:
        session = call.session
        if call.data["typing"]:
            await self._dispatcher.guard("check_typing", session=session)
        who = {"sessionId": session.id, "username": session.username, "anonymousId": session.anonymous_id}
        self._relay.broadcast(call.room_id, "typing", {**who, "typing": call.data["typing"]}, Audience(skip=session.id))

    async def get_history(self, call: Call) -> None:
        page = await self._backlog.page(call.room_id, call.data["limit"], call.data["before"], call.data["after"])
        call.answer("history_chunk", page)

    async def get_presence(self, call: Call) -> None:
        call.answer("presence_state", self._presence.of(call.room_id).state())

    async def heartbeat(self, call: Call) -> None:
        position = self._relay.position(call.room_id)
        version = self._presence.of(call.room_id).version
        now = iso(self._clock.now())
        call.answer("heartbeat_ack", {"serverTime": now, "seq": position, "presenceVersion": version})

    async def leave(self, call: Call) -> None:
        if call.data["forget"]:
            await self._sessions.check_forget(call.room_id)
        await self._intake.settle()  # what was sent before leaving is sent
        await self._sessions.leave(call.session, forget=call.data["forget"])
        call.answer("left", {})
        self._sessions.dismiss(call.session, 1000, "left")

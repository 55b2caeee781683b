"""A room in which everything happens that the bundled plugins can do, and what there is of it to be looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from anonchat.app import Server
from anonchat.testing.people import OpenRoom, Person, open_room, request

# Everything that people write has this in it, so that it can be looked for, in capitals or not.
MARK = "Quagga"
PEOPLE = 7


@dataclass(frozen=True, slots=True)
class Traces:
    """What must not be found any more: ids, and whatever somebody wrote."""

    room_id: str
    sessions: tuple[str, ...]
    messages: tuple[str, ...]

    def all(self) -> Iterator[str]:
        yield from (MARK.lower(), self.room_id, *self.sessions, *self.messages)


async def everything(server: Server, headers: Mapping[str, str] | None = None, device: str = "device") -> Traces:
    """Use every plugin so that each of its tables has something of the room in it.

    Everybody comes with these headers, and with a device and a fingerprint that begin with `device`.
    """
    room = await open_room(server, title=f"{MARK} title", description=f"{MARK} description", ephemeral=False)
    room = replace(room, headers=headers or {})
    async with AsyncExitStack() as stack:
        maud, *guests = [await stack.enter_async_context(entering(room, number, device)) for number in range(PEOPLE)]
        messages = [await said(guest, f"{MARK} says @{MARK} {number}") for number, guest in enumerate(guests)]
        await talk(room, maud, guests, messages)
        await poll(maud, guests, "open")
        await poll(maud, guests, "secret")
        await moderate(maud, guests, messages)
        await request(server, "GET", f"/api/analytics/rooms/{room.id}", token=maud.token)
    await server.dispatcher.settle()
    return Traces(room.id, tuple(person.session_id for person in (maud, *guests)), tuple(messages))


def entering(room: OpenRoom, number: int, device: str) -> AbstractAsyncContextManager[Person]:
    """The first one is the moderator."""
    known = {"deviceId": f"{device} of {number}", "fingerprintHash": f"{device} seen by {number}"}
    return room.enter(f"{MARK} {number}", moderator=number == 0, **known)


async def said(person: Person, text: str) -> str:
    return str((await done(person, "send_message", text=text, clientMsgId=f"{MARK}-{text}"))["serverMessageId"])


async def done(person: Person, event: str, **data: Any) -> Mapping[str, Any]:
    """Ask for something that is granted."""
    answer = await person.ask(event, data)
    assert answer.event != "error", answer
    return answer.data


async def talk(room: OpenRoom, maud: Person, guests: list[Person], messages: list[str]) -> None:
    await done(guests[0], "edit_message", messageId=messages[0], text=f"{MARK} says else")
    await done(guests[1], "delete_message", messageId=messages[1])
    await done(maud, "pin_message", messageId=messages[2])
    await said(maud, f"@room {MARK} is to be read by all")
    await done(guests[0], "mark_all_notifications_read")
    await done(guests[0], "set_notification_preferences", ignored=[guests[1].session_id])


async def poll(maud: Person, guests: list[Person], secrecy: str) -> None:
    """A poll in which enough people vote for a secret one to have a result."""
    options = [f"{MARK} yes", f"{MARK} no"]
    poll_id = (await done(maud, "create_poll", question=f"{MARK}?", options=options, secrecy=secrecy))["pollId"]
    for number, guest in enumerate(guests):
        await done(guest, "vote", pollId=poll_id, optionId=str(1 + number % 2))
    await done(maud, "close_poll", pollId=poll_id)


async def moderate(maud: Person, guests: list[Person], messages: list[str]) -> None:
    await done(guests[3], "report_message", messageId=messages[4], reason=f"{MARK} is rude")
    await done(maud, "mute", targetSessionId=guests[4].session_id, reason=f"{MARK} is loud")
    await done(maud, "ban", targetSessionId=guests[5].session_id, reason=f"{MARK} is unbearable")
    await done(maud, "set_moderation", rules={"words": {"action": "hold", "words": [MARK.lower()]}})
    assert (await guests[0].say(f"{MARK} waits")).event == "message_held"

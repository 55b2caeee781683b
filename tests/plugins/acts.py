"""The acts of ``roles.txt``: what each takes, how it is done, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from anonchat.app import Server
from anonchat.testing.people import Person, request

from .world import RANKS, World

TABLE = (Path(__file__).parent / "roles.txt").read_text(encoding="utf-8")
METHODS = ("get", "post", "put", "patch", "delete")
ROOM = "/api/rooms/{roomId}"
CODES = {
    "who": {"not_identified"},
    "token": {"invalid_token"},
    "mod": {"not_moderator"},
    "rank": {"rank_too_low"},
    "here": {"forbidden"},
    "self": {"forbidden"},
    "none": {"message_not_found", "poll_not_found", "not_found", "pins.not_pinned"},
    "done": {"conflict"},
    "yes": {"yes"},
}


def section(name: str, table: str = TABLE) -> dict[str, list[str]]:
    """Act -> its outcomes, in the order of the columns."""
    lines = table.partition(f"[{name}]")[2].partition("\n[")[0].splitlines()[1:]
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    words = 1 if name == "events" else 2
    return {" ".join(cells[:words]): cells[words:] for cells in rows}


# --- what each act needs: data of the event, or what stands in the path and body of the request


async def ban(world: World, by: str) -> Mapping[str, Any]:
    target = await world.somebody("participant")
    banned = await world.people[by].ask("ban", {"targetSessionId": target.session_id})
    return {"banId": banned.data["banId"]}


async def message(world: World, actor: str) -> Mapping[str, Any]:
    return {"messageId": await world.said()}


async def pin(world: World, actor: str) -> Mapping[str, Any]:
    message_id = await world.said()
    await world.as_owner("pin_message", messageId=message_id)
    return {"messageId": message_id}


async def report(world: World, actor: str) -> Mapping[str, Any]:
    await world.people["participant"].ask("report_message", {"messageId": await world.said(), "reason": "Rude"})
    return {"reportId": (await world.as_owner("get_reports"))["reports"][0]["reportId"]}


async def notification(world: World, actor: str) -> Mapping[str, Any]:
    """One for the actor, or for the participant where the actor is of another room."""
    reader = world.people[actor if actor in RANKS else "participant"]
    await (await world.somebody("participant")).say(f"@{reader.username} hello")
    inbox = await reader.ask("get_notifications")
    return {"notificationId": inbox.data["notifications"][0]["id"]}


async def poll(world: World, actor: str) -> Mapping[str, Any]:
    made = await world.as_owner("create_poll", question="Tea?", options=["Yes", "No"])
    return {"pollId": made["pollId"]}


async def vote(world: World, actor: str) -> Mapping[str, Any]:
    return {**await poll(world, actor), "optionId": "1"}


async def voted(world: World, actor: str) -> Mapping[str, Any]:
    data = await vote(world, actor)
    await world.people[actor].ask("vote", data)
    return data


async def held(world: World, actor: str) -> Mapping[str, Any]:
    await world.as_owner("set_moderation", rules={"words": {"action": "hold", "words": ["quagga"]}})
    answer = await (await world.somebody("participant")).say("A quagga")
    return {"messageId": answer.data["messageId"]}


async def opened(world: World, actor: str) -> Mapping[str, Any]:
    await world.as_owner("reopen_room")
    return {}


async def closed(world: World, actor: str) -> Mapping[str, Any]:
    await world.as_owner("close_room")
    return {}


async def invite(world: World, actor: str, role: str = "participant") -> Mapping[str, Any]:
    path = f"/api/rooms/{world.room.id}/invites"
    made = await request(world.server, "POST", path, {"role": role}, token=world.token_of("owner"))
    return {"inviteId": made.body["inviteId"]}


async def owners_invite(world: World, actor: str) -> Mapping[str, Any]:
    """The moderator link that the room was made with, or its successor."""
    await world.server.invites.rotate_owner(world.room.id)
    (found,) = [invite for invite in await world.server.invites.all(world.room.id) if invite.rank == 2]
    return {"inviteId": found.id}


def given(**data: Any) -> Callable[[World, str], Awaitable[Mapping[str, Any]]]:
    """Data that is the same for everybody."""

    async def give(world: World, actor: str) -> Mapping[str, Any]:
        return data

    return give


async def entry(world: World, actor: str) -> Mapping[str, Any]:
    return {"inviteToken": world.room.invite_token}


async def joining(world: World, actor: str) -> Mapping[str, Any]:
    return {"username": f"Guest {next(world.numbers)}", "inviteToken": world.room.invite_token}


NEEDS: Mapping[str, Callable[[World, str], Awaitable[Mapping[str, Any]]]] = {
    "send_message": given(text="Hello", clientMsgId="once"),
    "typing": given(typing=True),
    "unban/of-a-promoted": lambda world, _: ban(world, "promoted"),
    "unban/of-an-owner": lambda world, _: ban(world, "owner"),
    "close_room": opened,
    "reopen_room": closed,
    "resolve_report": report,
    "set_moderation": given(slowModeSeconds=5),
    "release_message": held,
    "drop_message": held,
    "mark_notification_read": notification,
    "set_notification_preferences": given(types={}),
    "pin_message": message,
    "unpin_message": pin,
    "create_poll": given(question="Coffee?", options=["Yes", "No"]),
    "vote": vote,
    "unvote": voted,
    "close_poll": poll,
    "get_poll_results": poll,
    "POST /api/rooms": given(title="A room"),
    f"PATCH {ROOM}": given(title="Another"),
    f"POST {ROOM}/validate-invite": entry,
    f"POST {ROOM}/join": joining,
    f"POST {ROOM}/invites/of-a-moderator": given(role="moderator"),
    f"DELETE {ROOM}/invites/{{inviteId}}": invite,
    f"DELETE {ROOM}/invites/{{inviteId}}/of-a-moderator": lambda world, actor: invite(world, actor, "moderator"),
    f"DELETE {ROOM}/invites/{{inviteId}}/of-an-owner": owners_invite,
    "GET /api/analytics/series": given(metric="messages"),
    f"DELETE {ROOM}/bans/{{banId}}": lambda world, _: ban(world, "promoted"),
    f"POST {ROOM}/close": opened,
    f"POST {ROOM}/reopen": closed,
    f"POST {ROOM}/reports/{{reportId}}/resolve": report,
    f"PATCH {ROOM}/moderation": given(slowModeSeconds=5),
    f"POST {ROOM}/held-messages/{{messageId}}/release": held,
    f"DELETE {ROOM}/held-messages/{{messageId}}": held,
    f"POST {ROOM}/notifications/{{notificationId}}/read": notification,
    f"GET {ROOM}/polls/{{pollId}}/export": poll,
}
NOTHING = given()


# --- trying


async def by_event(world: World, actor: str, event: str, data: Mapping[str, Any]) -> str:
    """Send an event; "yes", or the code of the error."""
    person = world.people.get(actor) or await world.stranger()
    frame = await person.send(event, data)
    if event == "typing" and actor != "stranger":  # what has no answer but an error is followed by what has one
        frame = await person.send("heartbeat")
    heard = await person.answer(frame)
    return str(heard.data["code"]) if heard.event == "error" else "yes"


async def by_route(world: World, actor: str, route: str, data: Mapping[str, Any]) -> str:
    """Make a request: `data` fills the path, the rest is query or body. "yes", or the code of the error."""
    method, path = route.split()
    named = set(re.findall(r"\{(\w+)\}", path))
    rest = {name: value for name, value in data.items() if name not in named}
    target = path.format(**{"roomId": world.room.id, **data})
    if method == "GET" and rest:
        target += "?" + "&".join(f"{name}={value}" for name, value in rest.items())
    reply = await request(
        world.server, method, target, rest if method in ("POST", "PATCH") else None, token=world.token_of(actor)
    )
    return "yes" if reply.status < 300 else str(reply.body["code"])


async def person_data(world: World, event: str, target: Person) -> dict[str, Any]:
    """What the act takes to concern that person."""
    if event in ("edit_message", "delete_message", "report_message"):
        extra = {"edit_message": {"text": "Else"}, "report_message": {"reason": "Rude"}}
        return {"messageId": await world.said(target), **extra.get(event, {})}
    if event == "unmute":  # what a higher rank has decided stands
        muted = await world.people["promoted"].ask("mute", {"targetSessionId": target.session_id})
        if muted.event == "error":
            await world.as_owner("mute", targetSessionId=target.session_id)
    if event == "purge_messages":
        await world.said(target)
    return {"targetSessionId": target.session_id}


async def routes_of(server: Server) -> set[str]:
    """Every route that the server documents."""
    paths = (await request(server, "GET", "/api/openapi.json")).body["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods if method in METHODS}

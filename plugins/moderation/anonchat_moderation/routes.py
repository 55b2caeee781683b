"""The acts as clients ask for them: each by an event and by a route, which share one service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from anonchat import Answer, Call, ClientEvent, Request, Role, Route, Schema, ServerEvent, Session
from anonchat_moderation import schemas
from anonchat_moderation.bans import Bans
from anonchat_moderation.log import Log
from anonchat_moderation.mutes import Mutes
from anonchat_moderation.purges import Purges
from anonchat_moderation.reports import Reports
from anonchat_moderation.roles import Roles
from anonchat_moderation.rooms import RoomActs

ROOM = "/api/rooms/{roomId}"
NAMED = {"banId": "ban_id", "reportId": "report_id", "messageId": "message_id"}  # what paths name beside the room
NOTHING, SOMEONE, PAGE = schemas.Nothing(), schemas.Someone(), schemas.Page()

Service = Callable[[Session, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody may do: the event `name`, answered by `answer`, and the route ``method path``.

    `run(who, data)` does it. `data` is what `schema` makes of the event's data; of a request it is the query and the
    body, which has the same schema unless `body` says otherwise, and what the path names.
    """

    name: str
    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    schema: Schema
    run: Service
    shape: Schema
    summary: str
    role: Role = "moderator"
    body: Schema | None = None
    answer: str = ""

    def event(self) -> ClientEvent:
        """As clients ask for it by the WebSocket."""

        async def handle(call: Call) -> None:
            call.answer(self.answered, await self.run(call.session, call.data))

        return ClientEvent(self.name, self.schema, handle, role=self.role, summary=self.summary)

    def route(self) -> Route:
        """As clients ask for it by REST."""

        async def handle(request: Request) -> Answer:
            path = {NAMED[name]: value for name, value in request.path.items() if name in NAMED}
            return Answer(await self.run(request.member, {**request.query, **request.body, **path}))

        return Route(
            self.method,
            f"{ROOM}{self.path}",
            handle,
            auth=self.role,
            body=(self.body or self.schema) if self.method in ("POST", "PATCH") else None,
            query=schemas.PageQuery() if self.schema is PAGE else None,
            answer=self.shape,
            summary=self.summary,
        )

    @property
    def answered(self) -> str:
        """The event that answers."""
        return self.answer or f"{self.name}_ack"


def acts_of(
    bans: Bans, mutes: Mutes, roles: Roles, rooms: RoomActs, purges: Purges, reports: Reports, log: Log
) -> Sequence[Act]:
    """Everything that people can do to people and rooms."""
    return (
        Act("kick", "POST", "/kick", schemas.Kick(), bans.kick, schemas.KickDone(), "Remove somebody for a while"),
        Act("ban", "POST", "/ban", schemas.Ban(), bans.ban, schemas.BanDone(), "Remove somebody for long"),
        Act("get_bans", "GET", "/bans", PAGE, bans.read, schemas.BanList(), "Who is kept out", answer="bans"),
        Act("unban", "DELETE", "/bans/{banId}", schemas.Unban(), bans.unban, schemas.BanLifted(), "Lift a ban"),
        Act("mute", "POST", "/mute", schemas.Mute(), mutes.mute, schemas.MuteDone(), "Let somebody only read"),
        Act("unmute", "POST", "/unmute", SOMEONE, mutes.unmute, schemas.PersonDone(), "Let somebody speak again"),
        Act("promote", "POST", "/promote", SOMEONE, roles.promote, schemas.RoleDone(), "Make somebody a moderator"),
        Act("demote", "POST", "/demote", SOMEONE, roles.demote, schemas.RoleDone(), "Make a moderator a participant"),
        Act("rotate_moderator_token", "POST", "/rotate-moderator-token", NOTHING, roles.rotate, schemas.TokenDone(),
            "A new moderator token; the old one is refused"),
        Act("close_room", "POST", "/close", NOTHING, rooms.close, schemas.OpenDone(), "Let nobody new in"),
        Act("reopen_room", "POST", "/reopen", NOTHING, rooms.reopen, schemas.OpenDone(), "Let people in again"),
        Act("end_room", "POST", "/end", NOTHING, rooms.end, schemas.EndDone(), "End the room for good"),
        Act("purge_messages", "POST", "/purge-messages", SOMEONE, purges.purge, schemas.PurgeDone(),
            "Delete everything by one person"),
        Act("report_message", "POST", "/reports", schemas.Report(), reports.report, schemas.ReportDone(),
            "Point moderators at a message", role="participant"),
        Act("get_reports", "GET", "/reports", PAGE, reports.read, schemas.ReportList(), "The reports that wait",
            answer="reports"),
        Act("resolve_report", "POST", "/reports/{reportId}/resolve", schemas.Resolve(), reports.resolve,
            schemas.ResolveDone(), "The reports of a message are dealt with", body=NOTHING),
        Act("get_moderation_log", "GET", "/moderation-log", PAGE, log.read, schemas.LogPage(),
            "What moderators have done", role="participant", answer="moderation_entries"),
    )  # fmt: skip


def server_events(acts: Sequence[Act]) -> Sequence[ServerEvent]:
    """The answers to the acts, and what is told besides."""
    answers = (ServerEvent(act.answered, act.shape, summary=f"The answer to {act.name}.") for act in acts)
    return (
        *answers,
        ServerEvent("kicked", schemas.Kicked(), summary="Your session is over."),
        ServerEvent("presence_removed", schemas.Removed(), summary="Somebody was removed."),
        ServerEvent("muted", schemas.Muted(), summary="You may only read for now."),
        ServerEvent("unmuted", schemas.Nothing(), summary="You may speak again."),
        ServerEvent("message_reported", schemas.MessageReported(), summary="For moderators: a message was reported."),
        ServerEvent("report_resolved", schemas.ReportResolved(), summary="For moderators: a message was dealt with."),
        ServerEvent("report_count", schemas.ReportCount(), summary="For moderators: how many reports wait."),
        ServerEvent("moderation_log", schemas.LogEntry(), durable=True, summary="What a moderator or a rule has done."),
    )

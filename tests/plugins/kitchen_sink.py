"""One plugin that implements every hook, and notes each call with its arguments."""

# mypy: disable-error-code="empty-body"
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import marshmallow
from sqlalchemy import Column, ForeignKey, MetaData, Table, Text, bindparam, func, insert, select

from anonchat import (
    Answer,
    Applicant,
    Call,
    ClientEvent,
    Denied,
    Draft,
    Edit,
    Event,
    EventSchema,
    Held,
    Job,
    Message,
    Metric,
    PluginContext,
    Rejected,
    Request,
    Room,
    Route,
    Schema,
    ServerEvent,
    Session,
    Tables,
    Transaction,
    WebAssets,
    hookimpl,
    hookspec,
)

HERE = Path(__file__).parent

metadata = MetaData()
notes = Table(
    "kitchen_sink_notes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("room_id", Text, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
)
INSERT_NOTE = insert(notes)
COUNT_NOTES = select(func.count()).where(notes.c.room_id == bindparam("room"))


class Offered:
    """A hook that the plugin offers to others."""

    @hookspec
    async def kitchen_sink_drained(self, litres: int) -> None:
        """The sink is empty."""

    @hookspec
    async def check_kitchen_sink(self, litres: int) -> Denied | None:
        """The sink is to be filled."""

    @hookspec
    async def write_kitchen_sink(self, tx: Transaction, litres: int) -> None:
        """The sink is filled."""

    @hookspec
    async def extend_kitchen_sink(self) -> Mapping[str, Any]:
        """What stands beside the sink."""


class Settings(marshmallow.Schema):
    """``[plugins.kitchen_sink]``"""

    litres = marshmallow.fields.Integer(load_default=10)


class Note(Schema):
    """Data of `kitchen_sink.note`."""

    id = marshmallow.fields.String(required=True)


class Plugin:
    """Every hook. `calls` holds (hook, arguments) in order; `refuse` names the guards and filters that say no."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuse: set[str] = set()
        self.hold: Held | None = None

    def of(self, hook: str) -> list[dict[str, Any]]:
        """The arguments of each call of a hook."""
        return [arguments for name, arguments in self.calls if name == hook]

    def _note(self, hook: str, **arguments: Any) -> None:
        self.calls.append((hook, arguments))

    # --- declare

    @hookimpl
    def register_config_schema(self) -> type[marshmallow.Schema]:
        self._note("register_config_schema")
        return Settings

    @hookimpl
    def register_tables(self) -> Tables:
        self._note("register_tables")
        return Tables(metadata, HERE / "migrations")

    @hookimpl
    def register_routes(self, config: Mapping[str, Any]) -> Sequence[Route]:
        self._note("register_routes", config=config)
        return [
            Route("GET", "/api/rooms/{roomId}/kitchen_sink", self.describe, auth="participant", summary="The sink.")
        ]

    @hookimpl
    def register_client_events(self, config: Mapping[str, Any]) -> Sequence[ClientEvent]:
        self._note("register_client_events", config=config)
        return [ClientEvent("kitchen_sink.note", Note(), self.take_note, summary="Keep a note.")]

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        self._note("register_server_events")
        return [ServerEvent("kitchen_sink.noted", EventSchema(), durable=True), ServerEvent("kitchen_sink.dripped")]

    @hookimpl
    def register_web_assets(self) -> WebAssets:
        self._note("register_web_assets")
        return WebAssets(HERE / "static", "sink.mjs")

    @hookimpl
    def register_metrics(self) -> Sequence[Metric]:
        self._note("register_metrics")
        return [Metric("notes", "counter", "Notes that were kept.")]

    @hookimpl
    def register_commands(self) -> Sequence[click.Command]:
        self._note("register_commands")
        return [click.Command("drain", help="Empty the sink.")]

    @hookimpl
    def register_jobs(self, config: Mapping[str, Any]) -> Sequence[Job]:
        self._note("register_jobs", config=config)
        return [Job("drip", 360 * config["litres"], self.drip)]

    @hookimpl
    def register_hookspecs(self) -> Sequence[object]:
        self._note("register_hookspecs")
        return [Offered]

    # --- what was declared

    async def describe(self, request: Request) -> Answer:
        row = await self.ctx.db.fetch_one(COUNT_NOTES, {"room": request.path["roomId"]})
        return Answer({"notes": row[0] if row else 0, "username": request.member.username})

    async def take_note(self, call: Call) -> None:
        row = {"id": call.data["id"], "room_id": call.room_id}

        async def work(tx: Any) -> None:
            await tx.execute(INSERT_NOTE, row)
            await tx.append(call.room_id, "kitchen_sink.noted", {"id": call.data["id"]})

        await self.ctx.db.transaction(work)
        self.ctx.metrics["notes"].inc()  # type: ignore[union-attr]
        call.answer("kitchen_sink.dripped", {"drops": 1})

    async def drip(self) -> None:
        self._note("drip")

    # --- life cycle

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self._note("setup", ctx=ctx)
        self.ctx = ctx

    @hookimpl
    async def startup(self) -> None:
        self._note("startup")

    @hookimpl
    async def shutdown(self) -> None:
        self._note("shutdown")

    # --- guards

    def _guard(self, hook: str, **arguments: Any) -> Denied | None:
        self._note(hook, **arguments)
        return Denied(f"kitchen_sink.{hook}", "No.") if hook in self.refuse else None

    @hookimpl
    async def check_connect(self, room: Room, session: Session, network: str) -> Denied | None:
        return self._guard("check_connect", room=room, session=session, network=network)

    @hookimpl
    async def check_join(self, room: Room, applicant: Applicant) -> Denied | None:
        return self._guard("check_join", room=room, applicant=applicant)

    @hookimpl
    async def check_delete(self, message: Message, session: Session) -> Denied | None:
        return self._guard("check_delete", message=message, session=session)

    @hookimpl
    async def check_typing(self, session: Session) -> Denied | None:
        return self._guard("check_typing", session=session)

    # --- filters

    @hookimpl
    async def filter_message(self, draft: Draft) -> Draft | Rejected | Held | None:
        self._note("filter_message", draft=draft)
        if "filter_message" in self.refuse:
            return Rejected("kitchen_sink.filter_message", "No.")
        return self.hold or replace(draft, content={**draft.content, "text": draft.content["text"].upper()})

    @hookimpl
    async def filter_edit(self, edit: Edit) -> Edit | Rejected | None:
        self._note("filter_edit", edit=edit)
        if "filter_edit" in self.refuse:
            return Rejected("kitchen_sink.filter_edit", "No.")
        return replace(edit, content={**edit.content, "text": edit.content["text"].lower()})

    # --- writing in the core's transaction

    @hookimpl
    async def write_messages(self, tx: Transaction, messages: Sequence[Message]) -> None:
        self._note("write_messages", tx=tx, messages=messages)
        for message in messages:
            await tx.execute(INSERT_NOTE, {"id": message.id, "room_id": message.room_id})
            if "write_messages" in self.refuse and message.content["text"] == "BROKEN":
                raise RuntimeError("the sink is blocked")

    @hookimpl
    async def write_deleted(self, tx: Transaction, message: Message, session: Session) -> None:
        self._note("write_deleted", tx=tx, message=message, session=session)
        if "write_deleted" in self.refuse:
            raise RuntimeError("the sink is blocked")

    @hookimpl
    async def write_forgotten(self, tx: Transaction, session: Session) -> None:
        self._note("write_forgotten", tx=tx, session=session)
        if "write_forgotten" in self.refuse:
            raise RuntimeError("the sink is blocked")

    # --- observers

    @hookimpl
    async def room_created(self, room: Room) -> None:
        self._note("room_created", room=room)

    @hookimpl
    async def room_closed(self, room: Room) -> None:
        self._note("room_closed", room=room)

    @hookimpl
    async def room_ended(self, room_id: str, reason: str, deleted: Mapping[str, int]) -> None:
        self._note("room_ended", room_id=room_id, reason=reason, deleted=deleted)

    @hookimpl
    async def session_joined(self, session: Session) -> None:
        self._note("session_joined", session=session)

    @hookimpl
    async def role_changed(self, session: Session) -> None:
        self._note("role_changed", session=session)

    @hookimpl
    async def session_left(self, session: Session, reason: str) -> None:
        self._note("session_left", session=session, reason=reason)

    @hookimpl
    async def connection_opened(self, session: Session) -> None:
        self._note("connection_opened", session=session)

    @hookimpl
    async def message_saved(self, message: Message) -> None:
        self._note("message_saved", message=message)

    @hookimpl
    async def message_held(self, message: Message, held: Held) -> None:
        self._note("message_held", message=message, held=held)

    @hookimpl
    async def participants_changed(self, room_id: str, present: int, here: int) -> None:
        self._note("participants_changed", room_id=room_id, present=present, here=here)

    @hookimpl
    async def message_edited(self, message: Message) -> None:
        self._note("message_edited", message=message)

    @hookimpl
    async def message_deleted(self, message_id: str, room_id: str, by: str) -> None:
        self._note("message_deleted", message_id=message_id, room_id=room_id, by=by)

    @hookimpl
    async def event_saved(self, event: Event) -> None:
        self._note("event_saved", event=event)

    @hookimpl
    async def authentication_failed(self, where: str, code: str) -> None:
        self._note("authentication_failed", where=where, code=code)

    @hookimpl
    async def limit_exceeded(self, limit: str) -> None:
        self._note("limit_exceeded", limit=limit)

    @hookimpl
    async def retention_finished(self, rooms: int, messages: int) -> None:
        self._note("retention_finished", rooms=rooms, messages=messages)

    # --- enrichers

    @hookimpl
    async def extend_messages(self, messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        self._note("extend_messages", messages=messages)
        return {message["id"]: {"length": len(message["content"]["text"])} for message in messages}

    @hookimpl
    async def extend_welcome(self, room: Room, session: Session) -> Mapping[str, Any]:
        self._note("extend_welcome", room=room, session=session)
        return {"for": session.username}

    @hookimpl
    async def extend_state(self, room: Room, session: Session) -> Mapping[str, Mapping[str, Any]]:
        self._note("extend_state", room=room, session=session)
        return {"kitchen_sink.dripped": {"drops": 2}, "presence": {}}

    @hookimpl
    async def extend_privacy(self) -> Mapping[str, str]:
        self._note("extend_privacy")
        return {"notes": "The sink keeps <notes>."}

    # --- purge and export

    @hookimpl
    async def purge_room(self, room_id: str) -> Mapping[str, int]:
        self._note("purge_room", room_id=room_id)
        return {"files": 3}

    @hookimpl
    async def export_room(self, room: Room) -> Mapping[str, Any]:
        self._note("export_room", room=room)
        return {"title": room.title}

"""A plugin for tests: lets any participant change the room, so that durable events other than messages happen."""

from __future__ import annotations

from collections.abc import Sequence

from marshmallow import fields

from anonchat import Call, ClientEvent, PluginContext, Schema, ServerEvent, hookimpl


class Title(Schema):
    """Data of ``caretaker.rename``."""

    title = fields.String(required=True)


class Plugin:
    """The caretaker of the room."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.rooms = ctx.rooms

    @hookimpl
    def register_client_events(self) -> Sequence[ClientEvent]:
        return [
            ClientEvent("caretaker.rename", Title(), self.rename),
            ClientEvent("caretaker.close", Schema(), self.close),
            ClientEvent("caretaker.reopen", Schema(), self.reopen),
        ]

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [ServerEvent("caretaker.done")]

    async def rename(self, call: Call) -> None:
        await self.rooms.update(await self.rooms.find(call.room_id), {"title": call.data["title"]})
        call.answer("caretaker.done", {})

    async def close(self, call: Call) -> None:
        await self.rooms.close(call.room_id)
        call.answer("caretaker.done", {})

    async def reopen(self, call: Call) -> None:
        await self.rooms.reopen(call.room_id)
        call.answer("caretaker.done", {})

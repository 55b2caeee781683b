"""The plugin: one class, whose methods are hooks. Each of them is described in anonchat's docs/plugins.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import marshmallow
from marshmallow import fields, validate

from anonchat import (
    Call,
    ClientEvent,
    Draft,
    Edit,
    EventSchema,
    Message,
    PluginContext,
    Rejected,
    Room,
    Schema,
    ServerEvent,
    Tables,
    Transaction,
    WebAssets,
    Whole,
    hookimpl,
)
from anonchat_dice.rolls import MOST_DICE, SIDES, parse, throw
from anonchat_dice.tables import COUNT_ROLLS, INSERT_ROLL, metadata, row_of


class Settings(marshmallow.Schema):
    """``[plugins.dice]`` in the configuration."""

    sides = fields.Integer(strict=True, load_default=6, validate=validate.Range(*SIDES))


class RollRequest(Schema):
    """Data of `dice.roll`. Unknown fields are refused."""

    sides = Whole(load_default=None, validate=validate.Range(*SIDES))
    count = Whole(load_default=1, validate=validate.Range(1, MOST_DICE))


class RollResult(EventSchema):
    """Data of `dice.rolled`."""

    sides = fields.Integer()
    results = fields.List(fields.Integer())
    total = fields.Integer()


class Dice:
    """Rolls dice: for the whole room by the message ``/roll 2d6``, for oneself by the event `dice.roll`."""

    # --- what the plugin declares

    @hookimpl
    def register_config_schema(self) -> type[marshmallow.Schema]:
        return Settings

    @hookimpl
    def register_tables(self) -> Tables:
        return Tables(metadata, Path(__file__).parent / "migrations")

    @hookimpl
    def register_client_events(self) -> Sequence[ClientEvent]:
        return [ClientEvent("dice.roll", RollRequest(), self.roll, limit="30/minute", summary="Roll dice for oneself.")]

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [ServerEvent("dice.rolled", RollResult(), summary="What was rolled; the answer to dice.roll.")]

    @hookimpl
    def register_web_assets(self) -> WebAssets:
        return WebAssets(Path(__file__).parent / "static", "dice.mjs")

    # --- what the plugin does

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.db = ctx.db
        self.sides = ctx.config["sides"]

    async def roll(self, call: Call) -> None:
        """`dice.roll`: nobody else hears of it, and nothing is stored."""
        roll = throw(call.data["count"], call.data["sides"] or self.sides)
        call.answer("dice.rolled", {"sides": roll.sides, "results": roll.results, "total": roll.total})

    @hookimpl
    async def filter_message(self, draft: Draft) -> Draft | Rejected | None:
        """``/roll 2d6`` becomes its result.

        The result goes into the content, so it is stored in one transaction with its message and is seen by all or by
        nobody. A client cannot send content of its own: a message with `dice` in it was really rolled.
        """
        try:
            asked = parse(draft.content["text"], self.sides)
        except ValueError:
            return Rejected(
                "dice.bad_roll",
                f"Roll 1 to {MOST_DICE} dice of {SIDES[0]} to {SIDES[1]} sides, such as /roll 2d6.",
            )
        if asked is None:
            return None
        roll = throw(*asked)
        thrown = {"sides": roll.sides, "results": roll.results, "total": roll.total}
        return replace(draft, content={"type": "text", "text": str(roll), "dice": thrown})

    @hookimpl
    async def filter_edit(self, edit: Edit) -> Rejected | None:
        """What was rolled stays as it fell."""
        return Rejected("dice.final", "A roll cannot be changed.") if "dice" in edit.message.content else None

    # --- the room's statistics: written with the messages, and deleted with them by the table's keys

    @hookimpl
    async def write_messages(self, tx: Transaction, messages: Sequence[Message]) -> None:
        rows = [row_of(message) for message in messages if "dice" in message.content]
        if rows:
            await tx.execute_many(INSERT_ROLL, rows)

    @hookimpl
    async def extend_welcome(self, room: Room) -> Mapping[str, Any]:
        """``ext.dice`` in `identified`."""
        row = await self.db.fetch_one(COUNT_ROLLS, {"room": room.id})
        return {"sides": self.sides, "rolls": row["rolls"] if row else 0, "dice": row["dice"] if row else 0}

    @hookimpl
    async def extend_privacy(self) -> Mapping[str, str]:
        return {"rolls": "Dice: how many were rolled, and their total, is kept for as long as the message."}

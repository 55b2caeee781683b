"""The plugin: one class, whose methods are hooks; those that count are in `observers`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import marshmallow
from marshmallow import fields, validate

from anonchat import Job, Metric, PluginContext, Route, Tables, WebAssets, hookimpl
from anonchat_analytics.counts import oldest_day
from anonchat_analytics.exposure import Exposure, metrics
from anonchat_analytics.ledger import Ledger
from anonchat_analytics.observers import Observers
from anonchat_analytics.reports import Reports
from anonchat_analytics.tables import flushes, metadata, server_sums
from anonchat_analytics.tally import Attendance, Tally

EXPIRE_SECONDS = 3600


class Settings(marshmallow.Schema):
    """``[plugins.analytics]`` in the configuration."""

    blur = fields.Integer(strict=True, load_default=5, validate=validate.Range(1, 1000))
    flush_seconds = fields.Float(load_default=5.0, validate=validate.Range(0.05, 300))
    hourly_sums_days = fields.Integer(strict=True, load_default=30, validate=validate.Range(1, 3660))
    daily_sums_days = fields.Integer(strict=True, load_default=400, validate=validate.Range(1, 3660))
    most_waiting = fields.Integer(strict=True, load_default=10_000, validate=validate.Range(1, 1_000_000))


class Analytics(Observers):
    """Counts without people: sums for each hour and day, of the server and of each room."""

    def __init__(self) -> None:
        self._reports = Reports()

    # --- what the plugin declares

    @hookimpl
    def register_web_assets(self) -> WebAssets:
        """Charts on the operator's page of the web client."""
        return WebAssets(Path(__file__).parent / "static", "analytics.mjs")

    @hookimpl
    def register_config_schema(self) -> type[marshmallow.Schema]:
        return Settings

    @hookimpl
    def register_tables(self) -> Tables:
        return Tables(metadata, Path(__file__).parent / "migrations", sums=(server_sums.name, flushes.name))

    @hookimpl
    def register_routes(self) -> Sequence[Route]:
        return self._reports.routes()

    @hookimpl
    def register_metrics(self) -> Sequence[Metric]:
        return metrics()

    @hookimpl
    def register_jobs(self) -> Sequence[Job]:
        return [Job("expire", EXPIRE_SECONDS, self.expire)]

    # --- what the plugin does

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx, self.clock = ctx, ctx.clock
        self.tally = Tally(ctx.config["most_waiting"])
        self.attendance = Attendance(self.tally)
        self.exposure = Exposure(ctx.metrics, ctx.config["blur"])
        self.ledger = Ledger(ctx.db, self.tally)
        self._reports.start(ctx, self.ledger, self.attendance, self.flush)

    @hookimpl
    async def startup(self) -> None:
        self.ctx.spawn(self._flush_again_and_again())

    @hookimpl
    async def extend_privacy(self) -> Mapping[str, str]:
        config = self.ctx.config
        return {
            "sums": f"How much the server is used is counted, as sums without any person: by the hour for "
            f"{config['hourly_sums_days'] + 1} days and by the day for {config['daily_sums_days']}; the sums of a room go "
            f"with the room. Numbers are told rounded to a multiple of {config['blur']}.",
        }

    @hookimpl
    async def shutdown(self) -> None:
        """Write what is left."""
        await self.flush()

    async def flush(self) -> None:
        """Write what was counted so far."""
        self.attendance.keep_up(self.clock.now())
        self.exposure.attend(self.attendance.total, self.attendance.peak)
        if left_out := self.tally.take_left_out():
            self.ctx.log.warning("too many rooms to count each of them", counts=left_out)
        await self.ledger.count_votes(lambda votes: self.exposure.count("votes", votes))
        await self.ledger.flush()

    async def expire(self) -> None:
        """Delete the sums that are older than they are kept."""
        now = self.clock.now()
        # By whole days: the hours of a day are told from its first.
        days = {"hour": self.ctx.config["hourly_sums_days"] + 1, "day": self.ctx.config["daily_sums_days"]}
        await self.ledger.expire({step: oldest_day(now, kept) for step, kept in days.items()})

    async def _flush_again_and_again(self) -> None:
        """Every node for itself, so this is no job: those run on one node at a time."""
        while True:
            await asyncio.sleep(self.ctx.config["flush_seconds"])
            try:
                await self.flush()
            except Exception as error:
                # The counts wait, and the next time may go better.
                self.ctx.log.warning("counts could not be written", error=type(error).__name__)

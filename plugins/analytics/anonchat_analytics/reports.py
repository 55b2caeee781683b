"""The routes: sums of the server for the operator, and of a room for its moderators; every number rounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from marshmallow import fields, validate

from anonchat import Answer, ChatError, EventSchema, PluginContext, Request, Route, Schema, iso
from anonchat_analytics.counts import (
    DAY,
    HOUR,
    METRICS,
    OF_A_ROOM,
    PEAK,
    STEPS,
    oldest_day,
    start_of,
    told,
    told_days,
    told_hours,
)
from anonchat_analytics.ledger import Ledger, Sums
from anonchat_analytics.tally import Attendance

MOST_POINTS = 1000
DEFAULT_POINTS = {"hour": 24, "day": 30}
ROOM_HOURS = 24
HOURS = DAY // HOUR
LIMIT = "60/minute"
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _time(**options: Any) -> fields.AwareDateTime:
    return fields.AwareDateTime(
        format="iso", default_timezone=UTC, load_default=None, validate=validate.Range(FIRST, LAST), **options
    )


class SeriesQuery(Schema):
    """Query of a series: times in ISO 8601, UTC where they do not say otherwise."""

    metric = fields.String(required=True, validate=validate.OneOf(METRICS))
    step = fields.String(load_default="hour", validate=validate.OneOf(list(STEPS)))
    from_ = _time(data_key="from")
    to = _time()


class Count(EventSchema):
    """At least `value`, and less than `below`; what is told in one hour may have begun in those before it, of the same day."""

    value = fields.Integer(required=True)
    below = fields.Integer(required=True)


class Period(EventSchema):
    """Metric -> count, since a time."""

    since = fields.String(required=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Nested(Count), required=True)


class Summary(EventSchema):
    """Who is there now, the running hour, the running day, and all days that are kept."""

    participants = fields.Nested(Count, required=True)
    hour = fields.Nested(Period, required=True)
    day = fields.Nested(Period, required=True)
    kept = fields.Nested(Period, required=True)


class RoomSummary(Summary):
    """With the last 24 hours, the running one last."""

    hours = fields.List(fields.Nested(Period), required=True)


class Point(Count):
    """The hour or day that began at `start`."""

    start = fields.String(required=True)


class Series(EventSchema):
    """One point for each hour or day, in order, none left out."""

    metric = fields.String(required=True)
    step = fields.String(required=True)
    from_ = fields.String(required=True, data_key="from")
    to = fields.String(required=True)
    points = fields.List(fields.Nested(Point), required=True)


class Reports:
    """What people read. Everything counted so far on this node is in it."""

    def routes(self) -> Sequence[Route]:
        """What the plugin offers over REST."""
        return (
            Route("GET", "/api/analytics/summary", self.summary, auth="operator", answer=Summary(), limit=LIMIT,
                  summary="Counts of the whole server"),
            Route("GET", "/api/analytics/series", self.series, auth="operator", query=SeriesQuery(), answer=Series(),
                  limit=LIMIT, summary="One count over time"),
            Route("GET", "/api/analytics/rooms/{roomId}", self.room, auth="moderator", answer=RoomSummary(), limit=LIMIT,
                  summary="Counts of a room"),
        )  # fmt: skip

    def start(
        self, ctx: PluginContext, ledger: Ledger, attendance: Attendance, flush: Callable[[], Awaitable[None]]
    ) -> None:
        """What the reports are made from; `flush` writes what was counted since."""
        self._clock = ctx.clock
        self._blur: int = ctx.config["blur"]
        self._days: int = ctx.config["daily_sums_days"]
        self._ledger = ledger
        self._attendance = attendance
        self._flush = flush

    async def summary(self, request: Request) -> Answer:
        """Of the server; `participants` are those of this node."""
        await self._flush()
        hour, day = self._running()
        by_hour = self._told("hour", METRICS, day, hour + HOUR, await self._ledger.server("hour", day, hour + HOUR))
        by_day = self._told("day", METRICS, day, day + DAY, await self._ledger.server("day", day, day + DAY))
        return Answer(
            {
                "participants": told(self._attendance.total, self._blur),
                "hour": by_hour[-1],
                "day": by_day[-1],
                "kept": self._kept(METRICS, await self._ledger.days(self._blur)),
            }
        )

    async def room(self, request: Request) -> Answer:
        """Of one room, for its moderators: the core has seen to it that the session is of this room."""
        room_id = request.member.room_id
        await self._flush()
        hour, day = self._running()
        first = start_of("day", hour - (ROOM_HOURS - 1) * HOUR)
        hours = await self._ledger.room(room_id, "hour", first, hour + HOUR)
        by_hour = self._told("hour", OF_A_ROOM, first, hour + HOUR, hours)
        days = await self._ledger.room(room_id, "day", day, day + DAY)
        by_day = self._told("day", OF_A_ROOM, day, day + DAY, days)
        return Answer(
            {
                "participants": told(self._attendance.of(room_id), self._blur),
                "hour": by_hour[-1],
                "day": by_day[-1],
                "kept": self._kept(OF_A_ROOM, await self._ledger.days(self._blur, room_id)),
                "hours": by_hour[-ROOM_HOURS:],
            }
        )

    async def series(self, request: Request) -> Answer:
        """One metric of the server: a point for each step that overlaps the span."""
        metric, step = request.query["metric"], request.query["step"]
        first, end = self._span(step, request.query["from_"], request.query["to"])
        await self._flush()
        begin = start_of("day", first)
        periods = self._told(step, (metric,), begin, end, await self._ledger.series(metric, step, begin, end))
        points = [{"start": period["since"], **period["counts"][metric]} for period in periods]
        points = points[(first - begin) // STEPS[step] :]
        return Answer({"metric": metric, "step": step, "from": iso(first), "to": iso(end), "points": points})

    def _span(self, step: str, begin: datetime | None, end: datetime | None) -> tuple[int, int]:
        """From the start of the first step to the end of the last: whole steps, so that no cut through one can be asked for."""
        length = STEPS[step]
        until = self._clock.now() + 1 if end is None else _milliseconds(end)
        since = until - 1 - (DEFAULT_POINTS[step] - 1) * length if begin is None else _milliseconds(begin)
        if since >= until:
            raise ChatError("validation_failed", errors={"from": ["Must be before `to`."]})
        first, last = start_of(step, since), start_of(step, until - 1)
        if (last - first) // length >= MOST_POINTS:
            raise ChatError("analytics.too_many_points", f"Ask for {MOST_POINTS} {step}s at most.", status=422)
        return first, last + length

    def _running(self) -> tuple[int, int]:
        """When the hour and the day began."""
        now = self._clock.now()
        return start_of("hour", now), start_of("day", now)

    def _told(self, step: str, metrics: Sequence[str], first: int, end: int, sums: Sums) -> Sequence[Mapping[str, Any]]:
        """What is told of each hour or day of a time that begins with a day."""
        starts = range(first, end, STEPS[step])
        counts: list[dict[str, Mapping[str, int]]] = [{} for _ in starts]
        for metric in metrics:
            exact = [sums.get(start, {}).get(metric, 0) for start in starts]
            for place, count in zip(counts, self._rounded(step, metric, exact), strict=True):
                place[metric] = count
        return [{"since": iso(start), "counts": place} for start, place in zip(starts, counts, strict=True)]

    def _rounded(self, step: str, metric: str, exact: Sequence[int]) -> Iterable[Mapping[str, int]]:
        if step == "day" or metric == PEAK:  # the highest of what is told of the hours is what is told of the day
            return (told(count, self._blur) for count in exact)
        days = (exact[start : start + HOURS] for start in range(0, len(exact), HOURS))
        return chain.from_iterable(told_hours(hours, self._blur) for hours in days)

    def _kept(self, metrics: Sequence[str], sums: Mapping[str, int]) -> Mapping[str, Any]:
        since = oldest_day(self._clock.now(), self._days)
        counts = {
            metric: told(sums.get(metric, 0), self._blur)
            if metric == PEAK
            else told_days(sums.get(metric, 0), self._days, self._blur)
            for metric in metrics
        }
        return {"since": iso(since), "counts": counts}


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1_000)

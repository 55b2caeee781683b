"""Lists that are read page by page, newest first: a page ends with a row, and the next one begins before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.sql import ClauseElement

from anonchat import ChatError, Journal, Row, Session, Statements

START = 2**62


async def read_page(
    db: Journal,
    rows_before: ClauseElement,
    position_of: ClauseElement,
    by: Session,
    data: Mapping[str, Any],
    **bound: Any,
) -> tuple[Sequence[Row], bool]:
    """(rows, whether there are more) before the row ``data["before"]``. Raises `not_found` if that one is gone."""

    async def work(snapshot: Statements) -> Sequence[Row]:
        start: dict[str, Any] = {"at": START, "id": ""}
        if data["before"] is not None:
            row = await snapshot.fetch_one(position_of, {"room": by.room_id, "before": data["before"]})
            if row is None:
                raise ChatError("not_found", "The row before which the page should end is gone; begin anew.")
            start = {"at": row["at"], "id": row["id"]}
        return await snapshot.fetch_all(rows_before, {"room": by.room_id, "limit": data["limit"] + 1, **start, **bound})

    rows = await db.read(work)
    return rows[: data["limit"]], len(rows) > data["limit"]

"""Cursors of paged lists: where a page ended, by time and id."""

from __future__ import annotations

from anonchat.errors import ChatError


def cursor_of(moment: int, row_id: str) -> str:
    """The cursor of the row that a page ended with."""
    return f"{moment}~{row_id}"


def parse_cursor(cursor: str | None, start: tuple[int, str]) -> tuple[int, str]:
    """(time, id) of a cursor; `start` without one. Raises `validation_failed`."""
    if cursor is None:
        return start
    moment, _, row_id = cursor.partition("~")
    if not (moment.isascii() and moment.isdecimal()) or len(moment) > 18:
        raise ChatError("validation_failed", errors={"cursor": ["Not a cursor of this list."]})
    return int(moment), row_id

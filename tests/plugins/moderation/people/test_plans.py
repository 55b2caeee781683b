"""What is asked often finds its rows by an index."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy.dialects import sqlite

from anonchat_moderation import statements
from anonchat_moderation.content import tables as content

pytestmark = pytest.mark.sqlite

OFTEN: dict[str, str | tuple[str, ...]] = {
    "SELECT_MATCHING": "moderation_bans_room",
    "SELECT_MUTES": "moderation_mutes_room",
    "COUNT_OTHER_MUTES": "moderation_mutes_room",
    "SELECT_GATHERED": "moderation_log_gathering",
    "GATHER": "sqlite_autoindex_moderation_log_2",
    "SELECT_LOG": "moderation_log_room",
    "COUNT_REPORTS": "moderation_reports_room",
    "COUNT_BY_AUTHOR": "moderation_reports_room",
    "SELECT_REPORTS": "moderation_reports_room",
    "SELECT_HELD_OF": "messages_order",
    "SELECT_HELD_OF_BANNED": ("messages_held", "moderation_bans_session", "moderation_bans_device"),
    "SELECT_IN_PANIC": "messages_held",
}

PARTIAL = ("SELECT_GATHERED", "SELECT_HELD_OF_BANNED")  # all of an index that has few rows


@pytest.mark.gen_test
async def test_by_an_index(crowd: Any) -> None:
    for name, index in OFTEN.items():
        statement = getattr(statements if hasattr(statements, name) else content, name)
        compiled = str(statement.compile(dialect=sqlite.dialect(paramstyle="named")))
        bound = dict.fromkeys(re.findall(r":(\w+)", compiled), 1)
        with closing(sqlite3.connect(crowd.folder / "anonchat.db")) as connection:
            plan = str(connection.execute(f"EXPLAIN QUERY PLAN {compiled}", bound).fetchall())
        assert all(one in plan for one in ((index,) if isinstance(index, str) else index)), (name, plan)
        assert "SCAN" not in plan.replace("SCAN json_each", "") or name in PARTIAL, (name, plan)

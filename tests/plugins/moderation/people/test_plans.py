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

OFTEN = {
    "SELECT_MATCHING": "moderation_bans_room",
    "SELECT_MUTES": "sqlite_autoindex_moderation_mutes_2",
    "SELECT_GATHERED": "moderation_log_gathering",
    "GATHER": "sqlite_autoindex_moderation_log_2",
    "SELECT_LOG": "moderation_log_room",
    "COUNT_REPORTS": "moderation_reports_room",
    "SELECT_HELD_OF": "messages_order",
    "SELECT_HELD_OF_BANNED": "messages_held",
}

PARTIAL = ("SELECT_GATHERED", "SELECT_HELD_OF_BANNED")  # all of an index that has few rows


@pytest.mark.gen_test(timeout=30)
async def test_by_an_index(crowd: Any) -> None:
    for name, index in OFTEN.items():
        statement = getattr(content if name.startswith("SELECT_HELD") else statements, name)
        compiled = str(statement.compile(dialect=sqlite.dialect(paramstyle="named")))
        bound = dict.fromkeys(re.findall(r":(\w+)", compiled), 1)
        with closing(sqlite3.connect(crowd.folder / "anonchat.db")) as connection:
            plan = str(connection.execute(f"EXPLAIN QUERY PLAN {compiled}", bound).fetchall())
        assert index in plan, (name, plan)
        assert "SCAN" not in plan.replace("SCAN json_each", "") or name in PARTIAL, (name, plan)

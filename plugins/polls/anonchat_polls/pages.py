"""What is served over REST: the polls of a room, and one of them as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from anonchat import Answer, Request, Room
from anonchat_polls.views import Views

END = "~"  # above every message id, which is hex digits and hyphens
MOST_EXPORTED = 200  # polls in the export of a room: the newest
# What a spreadsheet takes for the begin of a formula, full-width forms too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Pages:
    """One method for each route."""

    def __init__(self, views: Views) -> None:
        self._views = views

    async def list(self, request: Request) -> Answer:
        """The room's polls, newest first."""
        limit = request.query["limit"]
        found = await self._views.page(request.member, request.query["cursor"] or END, limit + 1)
        following = found[limit - 1]["messageId"] if len(found) > limit else None
        return Answer({"polls": found[:limit], "nextCursor": following})

    async def export(self, request: Request) -> Answer:
        """One poll as JSON or CSV, as the asker may see it."""
        poll = await self._views.whole(request.path["pollId"], request.member)
        if request.query["format"] == "json":
            return Answer(poll, headers=_file("poll.json"))
        return Answer(csv_of(poll), headers=_file("poll.csv"), content_type="text/csv; charset=utf-8")

    async def of_room(self, room: Room) -> Mapping[str, Any]:
        """The newest polls of a room, for its export: as everybody may see them."""
        found = await self._views.public_page(room.id, END, MOST_EXPORTED + 1)
        return {"polls": found[:MOST_EXPORTED], "complete": len(found) <= MOST_EXPORTED}


def _file(name: str) -> Mapping[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def csv_of(poll: Mapping[str, Any]) -> bytes:
    """A line for each option; of an open poll, for each vote. What is not to be seen is empty."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["question", "optionId", "option", "votes", *(["voter"] if "votes" in poll else [])])
    for option in poll["options"]:
        total = "" if poll["totals"] is None else poll["totals"][option["id"]]
        line = [harmless(poll["question"]), option["id"], harmless(option["text"]), total]
        writer.writerows([*line, *name] for name in _names(poll, option["id"]))
    return text.getvalue().encode()


def _names(poll: Mapping[str, Any], option_id: str) -> Sequence[Sequence[str]]:
    """The last column of each line of an option: there is a line also where nobody voted for it."""
    if "votes" not in poll:
        return [[]]
    return [[harmless(vote["username"])] for vote in poll["votes"] if option_id in vote["optionIds"]] or [[""]]


def harmless(cell: str) -> str:
    """A text that no spreadsheet takes for a formula: https://owasp.org/www-community/attacks/CSV_Injection."""
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) or cell.startswith(_FORMULA) else cell

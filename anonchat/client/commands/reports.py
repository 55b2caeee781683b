"""Commands about messages that should not be there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.commands.basics import quoted
from anonchat.client.commands.floor import Floor, Misused
from anonchat.client.commands.pages import every
from anonchat.client.words.sentences_plugins import reported


async def report(floor: Floor, rest: str) -> None:
    """``/report N reason``"""
    number, _, reason = rest.partition(" ")
    if not reason.strip():
        raise Misused
    wire = floor.message(number)
    await floor.chat.request("report_message", {"messageId": wire["id"], "reason": reason.strip()})
    floor.say(f"The moderators are told of {quoted(wire)}")


async def show(floor: Floor, _: str) -> None:
    """``/reports``"""
    found = await _waiting(floor)
    floor.listed["reports"] = [one["reportId"] for one in found]
    lines = [f"{number}. {reported(one)}" for number, one in enumerate(found, 1)]
    floor.page("Reports", "\n".join(lines) or "No report waits.")


async def resolve(floor: Floor, number: str) -> None:
    """``/resolve N``: all reports of that message are dealt with."""
    report_id = floor.chosen("reports", number, [one["reportId"] for one in await _waiting(floor)])
    done = (await floor.chat.request("resolve_report", {"reportId": report_id})).data
    floor.say(f"Dealt with. Reports that wait: {done['open']}.")


async def _waiting(floor: Floor) -> list[Mapping[str, Any]]:
    return await every(floor, "get_reports", "reports", "reportId")

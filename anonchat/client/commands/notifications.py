"""The command for what concerns oneself."""

from __future__ import annotations

from anonchat.client.commands.floor import Floor
from anonchat.client.times import when
from anonchat.client.words.notices import notice


async def show(floor: Floor, _: str) -> None:
    """``/notifications``: the unread ones, which are read then."""
    answer = await floor.chat.request("get_notifications", {})
    found = answer.data["notifications"]
    lines = [f"{when(one['createdAt'])}  {notice(one)}" for one in found]
    left = answer.data["unread"] - len(found)
    if left > 0:
        lines.append(f"and {left} older ones")
    floor.page("Unread notifications", "\n".join(lines) or "There is nothing new for you.")
    if found:
        await floor.chat.request("mark_all_notifications_read", {})

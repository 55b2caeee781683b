"""After a reconnect notifications are as if one had never left, and a restart loses none of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from anonchat import hookimpl
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import Heard, OpenRoom, Person, open_room
from anonchat_notifications import Notifications

pytestmark = pytest.mark.gen_test


class Badge:
    """What a client knows: its unread notifications by id, and how many there are."""

    def __init__(self) -> None:
        self.unread = 0
        self.known: dict[str, Mapping[str, Any]] = {}

    def take(self, heard: Heard) -> None:
        event, data = heard.event, heard.data
        if event == "notifications":
            self.known = {told["id"]: told for told in data["notifications"]}
            self.unread = data["unread"]
        elif event == "notification":
            self.unread += data["id"] not in self.known
            self.known[data["id"]] = data
        elif event == "message_deleted":
            gone = [told_id for told_id, told in self.known.items() if _is_about(told, data["messageId"])]
            for told_id in gone:
                del self.known[told_id]
            self.unread -= len(gone)


async def badge_of(tab: Person, text: str) -> Badge:
    """What a tab knows when it hears a message with that text; then it is closed."""
    badge = Badge()
    while (heard := await tab.read()) is not None:
        badge.take(heard)
        if heard.event == "message" and heard.data["content"]["text"] == text:
            break
    await tab.close()
    return badge


def _is_about(told: Mapping[str, Any], message_id: str) -> bool:
    return "message" in told and told["message"]["id"] == message_id


async def test_after_a_reconnect_notifications_are_as_if_one_had_never_left(
    room: OpenRoom, alice: Person, zoe: Person, bob: Person, others: Any
) -> None:
    """Of two tabs one stays, the other drops and returns; both, and a third, end with the same list and count."""
    stays, drops = [await room.identify("Bob", bob.session_id, bob.token) for _ in range(2)]
    asked = (await bob.say("Any idea?")).data["serverMessageId"]
    before = (await alice.say("@Bob before")).data["serverMessageId"]
    await drops.close()
    await alice.say("@Bob one")
    await alice.say("two", replyToId=asked)
    await zoe.say("@room three")
    (newest, *_) = (await bob.ask("get_notifications")).data["notifications"]
    await bob.ask("mark_notification_read", {"notificationId": newest["id"]})
    poll = await others.open_poll(zoe, "four")
    await others.close_poll(room, zoe, poll)
    await others.act(room, "promote", bob)
    await zoe.ask("delete_message", {"messageId": before})
    returns = await room.identify("Bob", bob.session_id, bob.token)
    await alice.say("@Bob five")
    while (await bob.hear("notification")).data["type"] != "moderation":
        pass
    third = await room.identify("Bob", bob.session_id, bob.token)
    await alice.say("now")
    badges = [await badge_of(tab, "now") for tab in (stays, returns, third)]
    kinds = sorted(told["type"] for told in badges[0].known.values())
    assert kinds == ["mention", "mention", "moderation", "poll_closed", "poll_opened", "reply"]
    assert badges[0].unread == 6
    assert [(badge.unread, badge.known) for badge in badges] == [(6, badges[0].known)] * 3


class Forgetful(Notifications):
    """Says nothing to who comes."""

    @hookimpl
    async def extend_state(self) -> None: ...  # type: ignore[override]


async def test_without_the_state_at_identify_a_tab_knows_less(tmp_path: Path) -> None:
    """The control: what one tab missed does not come by itself."""
    async with running_server(settings_in(tmp_path), plugins={"notifications": Forgetful()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice, room.enter("Bob") as bob:
            await alice.say("@Bob one")
            tab = await room.identify("Bob", bob.session_id, bob.token)
            await alice.say("@Bob two")
            assert (await badge_of(tab, "@Bob two")).unread < 2


async def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, plugins={"enabled": ("notifications",)})
    async with running_server(settings) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice, room.enter("Bob") as bob:
            await bob.ask("set_notification_preferences", {"types": {"reply": False}})
            await alice.say("@Bob one")
            before = (await bob.ask("get_notifications")).data
    async with running_server(settings) as server:
        again = await OpenRoom(server, room.id, "", "").identify("Bob", bob.session_id, bob.token)
        assert (await again.hear("notifications")).data == before
        assert (await again.ask("get_notification_preferences")).data["types"]["reply"] is False
        await again.close()

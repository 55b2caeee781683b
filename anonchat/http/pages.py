"""The pages in which the web client runs; without scripts they tell how to join a room from a terminal."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from anonchat.errors import ChatError
from anonchat.http.api import PlainHandler
from anonchat.http.assets import Assets
from anonchat.http.ingress import Ingress
from anonchat.http.layout import client_page, client_policy, moment_text, span_text, table
from anonchat.limits import Limits
from anonchat.models import Room
from anonchat.rooms.rooms import Rooms

JOINING = """
<ol>
<li>Install the terminal chat: <pre>pip install 'anonchat[chat]'</pre></li>
<li>Join with the whole link, with everything after the <code>#</code>:
<pre>anonchat chat '%s#&hellip;' --name Alice</pre></li>
</ol>
<p>For pipes and screen readers: <code>anonchat chat --plain</code>.</p>
"""

FRONT = """
<p class="lead">A chat for people who do not want to leave a trace: join a room by its link, without an account;
when the room ends, everything in it is deleted.</p>
<h2>Open a room</h2>
<p>In a terminal, on any machine that reaches this server:</p>
<pre>anonchat room create "Lunch?" --server %s</pre>
<p>It prints a link for your guests and one for you, as the room's moderator, and a QR code.</p>
<h2>Join a room</h2>
"""


class PageHandler(PlainHandler):
    """A page, answered only under our own names."""

    is_embedded = False
    """Whether it is made for the pages of others."""

    def initialize(self, ingress: Ingress, rooms: Rooms, limits: Limits, assets: Sequence[Assets]) -> None:
        """Called by Tornado with the keywords of the rule."""
        self.ingress = ingress
        self.rooms = rooms
        self.limits = limits
        self.assets = assets

    async def prepare(self) -> None:
        """Refuse foreign hosts, and networks that ask too often."""
        self.ingress.check_host(self.request)
        network = await self.ingress.network_of(self.request)
        await self.limits.hit("requests_per_network", network.today)

    def allowed(self) -> Iterable[str]:
        """Pages are only read."""
        return ("GET", "HEAD")

    def head(self, *arguments: str, **keywords: str) -> Awaitable[None] | None:
        """Like GET; Tornado leaves the body out."""
        return self.get(*arguments, **keywords)

    def show(self, title: str, body: str, status: int = 200) -> None:
        """Answer with a page of the web client; `body` is for browsers without scripts."""
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        policy = client_policy(self.ingress.embedders()) if self.is_embedded else client_policy()
        self.set_header("Content-Security-Policy", policy)
        self.finish(client_page(title, body, self.assets, is_embedded=self.is_embedded))


class FrontPage(PageHandler):
    """``/``"""

    def get(self) -> None:
        """What this is."""
        base = html.escape(self.ingress.base_url(self.request))
        self.show("Talk, then let it go", FRONT % base + JOINING % f"{base}/r/&hellip;")


class RoomPage(PageHandler):
    """``/r/<roomId>``: the secret after ``#`` never reaches the server."""

    async def get(self, room_id: str) -> None:
        """How to join this room, or what was deleted when it ended."""
        try:
            room = await self.rooms.find(room_id)
        except ChatError as error:
            await self._refuse(room_id, error)
            return
        base = html.escape(self.ingress.base_url(self.request))
        about = f"<p class=lead>{html.escape(room.description)}</p>" if room.description else ""
        joining = JOINING % f"{base}/r/{html.escape(room_id)}"
        self.show(room.title, f"{about}<p>{_life(room, self.rooms.purge_grace_seconds)}</p><h2>Join</h2>{joining}")

    async def _refuse(self, room_id: str, error: ChatError) -> None:
        receipt = await self.rooms.receipt(room_id)
        if receipt is not None:
            rows = [(html.escape(name.replace("_", " ")), str(count)) for name, count in receipt["deleted"].items()]
            ended = f"<p>It ended on {moment_text(receipt['ended_at'])}. What was in it is deleted:</p>"
            waiting = "".join(f"<p>Still at it: the plugin {html.escape(plugin)}.</p>" for plugin in receipt["pending"])
            self.show("This room has ended", ended + table(("What", "How many"), rows) + waiting, 410)
        elif error.code == "room_ended":
            self.show("This room has ended", "<p>What was in it is about to be deleted.</p>", 410)
        else:
            self.show("No such room", f"<p>{html.escape(error.message)}</p>", error.status)


def _life(room: Room, grace_seconds: int) -> str:
    """How long the room and what is said in it live."""
    end = f"This room ends on {moment_text(room.expires_at)}. " if room.expires_at else "This room has no fixed end. "
    if grace_seconds:
        end += f"What is left in it then is deleted {span_text(grace_seconds)} later. "
    if room.retention_seconds:
        return f"{end}Each message is deleted {span_text(room.retention_seconds)} after it was sent."
    return f"{end}Messages are kept until the room ends."


class EmbeddedRoomPage(RoomPage):
    """``/embed/r/<roomId>``: the same inside the pages of sites that the operator has named."""

    is_embedded = True

    def show(self, title: str, body: str, status: int = 200) -> None:
        """Answer with the page; browsers show it to nobody else's pages."""
        self.clear_header("X-Frame-Options")  # it knows no list of sites; the policy does
        self.set_header("Cross-Origin-Resource-Policy", "cross-origin")
        super().show(title, body, status)


class AdminPage(PageHandler):
    """``/admin``: numbers for the operator, whose token the page asks for; the page itself holds none."""

    def get(self) -> None:
        """Where the same numbers are without scripts."""
        numbers = "<p>With <code>Authorization: Bearer</code> and the operator token: <code>GET /metrics</code></p>"
        self.show("The operator's page", numbers)


def page_rules(
    ingress: Ingress, rooms: Rooms, limits: Limits, assets: Sequence[Assets], has_operator: bool
) -> list[Any]:
    """Tornado's rules for the pages."""
    keywords = {"ingress": ingress, "rooms": rooms, "limits": limits, "assets": assets}
    return [
        (r"/", FrontPage, keywords),
        (r"/r/([^/]{1,64})", RoomPage, keywords),
        (r"/embed/r/([^/]{1,64})", EmbeddedRoomPage, keywords),
        *([(r"/admin", AdminPage, keywords)] if has_operator else []),
    ]

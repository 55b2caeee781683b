"""What clients ask, over the socket and over REST."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat import Answer, Call, ClientEvent, PluginContext, Request, Route
from anonchat_notifications.inbox import Inbox, Page
from anonchat_notifications.schemas import (
    ChangePreferences,
    Nothing,
    NotificationId,
    NotificationPage,
    PageQuery,
    PageRequest,
    Unread,
)

ROOT = "/api/rooms/{roomId}/notifications"


class Requests:
    """The handlers. `open` comes before the first of them is called."""

    def open(self, ctx: PluginContext, inbox: Inbox) -> None:
        """Take what the handlers need."""
        self._db = ctx.db
        self._inbox = inbox

    def client_events(self) -> Sequence[ClientEvent]:
        """What may be asked over the socket."""
        return [
            ClientEvent("get_notifications", PageRequest(), self.get, limit="60/minute", summary="A page of one's own."),
            ClientEvent(
                "mark_notification_read", NotificationId(), self.mark, limit="120/minute", summary="Mark one as read."
            ),
            ClientEvent(
                "mark_all_notifications_read", Nothing(), self.mark_all, limit="30/minute", summary="Mark all as read."
            ),
            ClientEvent(
                "get_notification_preferences", Nothing(), self.preferences, limit="30/minute", summary="What one wants."
            ),
            ClientEvent(
                "set_notification_preferences", ChangePreferences(), self.prefer, limit="30/minute",
                summary="Say what one wants, and whom one ignores.",
            ),
        ]  # fmt: skip

    def routes(self) -> Sequence[Route]:
        """What may be asked over REST."""
        return [
            Route(
                "GET", ROOT, self.read, auth="participant", query=PageQuery(), answer=NotificationPage(),
                summary="One's notifications",
            ),
            Route("GET", f"{ROOT}/count", self.count, auth="participant", answer=Unread(), summary="How many are unread"),
            Route(
                "POST", f"{ROOT}/{{notificationId}}/read", self.mark_one, auth="participant", answer=Unread(),
                summary="Mark one as read",
            ),
            Route(
                "POST", f"{ROOT}/read-all", self.mark_each, auth="participant", answer=Unread(), summary="Mark all as read"
            ),
        ]  # fmt: skip

    # --- over the socket

    async def get(self, call: Call) -> None:
        """`get_notifications`."""
        await self._db.read_in_order(
            lambda tx: self._inbox.page(tx, call.session, **call.data),
            call.room_id,
            lambda page: call.answer("notifications", page),
        )

    async def mark(self, call: Call) -> None:
        """`mark_notification_read`."""
        entry_id = call.data["notification_id"]
        await self._inbox.mark(call.session, entry_id, lambda page: call.answer("notifications", page))

    async def mark_all(self, call: Call) -> None:
        """`mark_all_notifications_read`."""
        await self._inbox.mark_all(call.session, lambda page: call.answer("notifications", page))

    async def preferences(self, call: Call) -> None:
        """`get_notification_preferences`."""
        call.answer("notification_preferences", await self._inbox.preferences(call.session))

    async def prefer(self, call: Call) -> None:
        """`set_notification_preferences`."""
        await self._inbox.prefer(
            call.session,
            call.data["types"],
            call.data["ignored"],
            lambda preferred: call.answer("notification_preferences", preferred),
        )

    # --- over REST

    async def read(self, request: Request) -> Answer:
        """A page."""
        return Answer(await self._db.read(lambda tx: self._inbox.page(tx, request.member, **request.query)))

    async def count(self, request: Request) -> Answer:
        """How many are unread."""
        return Answer({"unread": await self._inbox.unread(self._db, request.member)})

    async def mark_one(self, request: Request) -> Answer:
        """Mark one as read."""
        return _unread(await self._inbox.mark(request.member, request.path["notificationId"]))

    async def mark_each(self, request: Request) -> Answer:
        """Mark all as read."""
        return _unread(await self._inbox.mark_all(request.member))


def _unread(page: Page) -> Answer:
    return Answer({"unread": page["unread"]})

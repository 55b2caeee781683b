"""What is counted when. Each observer is an addition in memory; none keeps who it was."""

from __future__ import annotations

from anonchat import Clock, Message, Session, hookimpl
from anonchat_analytics.counts import start_of
from anonchat_analytics.exposure import Exposure
from anonchat_analytics.tally import SERVER, Attendance, Poll, Tally


class Observers:
    """The hooks that count."""

    clock: Clock
    tally: Tally
    attendance: Attendance
    exposure: Exposure

    @hookimpl
    async def room_created(self) -> None:
        self._count("rooms_created")

    @hookimpl
    async def session_joined(self, session: Session) -> None:
        self._count("joins", session.room_id)

    @hookimpl
    async def participants_changed(self, room_id: str, present: int, here: int) -> None:
        self.attendance.changed(self.clock.now(), room_id, present, here)
        self.exposure.attend(self.attendance.total, self.attendance.peak)

    @hookimpl
    async def message_saved(self, message: Message) -> None:
        self._count("messages", message.room_id)

    @hookimpl
    async def authentication_failed(self) -> None:
        self._count("failed_authentications")

    @hookimpl
    async def limit_exceeded(self) -> None:
        self._count("limits_hit")

    @hookimpl
    async def retention_finished(self, messages: int) -> None:
        self._count("retention_runs")
        self._count("retention_messages", count=messages)

    @hookimpl(optionalhook=True)
    async def polls_voted(self, room_id: str, message_id: str, voters: int) -> None:
        self.tally.voted(Poll(message_id, room_id, start_of("hour", self.clock.now()), voters))

    def _count(self, metric: str, room_id: str = SERVER, count: int = 1) -> None:
        self.tally.add((room_id, metric, start_of("hour", self.clock.now())), count)
        self.exposure.count(metric, count)

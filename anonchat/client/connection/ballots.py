"""One's votes in open secret polls. Only this program remembers them, and only in memory: a server that was restarted
has forgotten them, and gets them again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from anonchat.client.connection.line import Frame
from anonchat.client.errors import PASSING, ChatRefused, ClientError, NotReachable

MOST = 100


class Ballots:
    """`exchange(event, data)` sends an event and waits for its answer."""

    def __init__(self, exchange: Callable[[str, Mapping[str, Any]], Awaitable[Frame]]) -> None:
        self._exchange = exchange
        self._cast: dict[str, Mapping[str, Any]] = {}
        self._lost: asyncio.Queue[str] = asyncio.Queue(MOST)

    async def vote(self, data: Mapping[str, Any]) -> Frame:
        """Send a vote. One that may not have been counted is remembered like one that was. Raises `ClientError`."""
        try:
            answer = await self._exchange("vote", data)
        except NotReachable:
            self._remember(data)
            raise
        if answer.event == "vote_pending":
            self._remember(data)
        return answer

    def compare(self, polls: Mapping[str, Any]) -> None:
        """Data of `open_polls`, which comes once for each time one has identified: what it does not know is lost."""
        is_open = {poll["pollId"]: poll for poll in polls["polls"] if poll.get("secrecy") == "secret"}
        self._cast = {key: data for key, data in self._cast.items() if key in is_open}
        self.lost([poll_id for poll_id in self._cast if is_open[poll_id].get("voted") is False])

    def lost(self, poll_ids: Sequence[str]) -> None:
        """Data of `votes_lost`, or what was found missing."""
        for poll_id in poll_ids:
            if not self._lost.full():
                self._lost.put_nowait(poll_id)

    async def cast_again(self) -> None:
        """Ask for what may be lost, for ever, and send what is; each vote once for each time that it was found missing."""
        while True:
            poll_id = await self._lost.get()
            try:
                state = await self._exchange("get_poll_results", {"pollId": poll_id})
                data = self._cast.get(poll_id)
                if data is not None and state.data.get("voted") is False:
                    await self._exchange("vote", data)
            except ChatRefused as refusal:
                if refusal.code not in PASSING:
                    self._cast.pop(poll_id, None)
            except ClientError:
                continue  # the next connection tells anew what is missing

    def _remember(self, data: Mapping[str, Any]) -> None:
        if not isinstance(poll_id := data.get("pollId"), str):
            return
        self._cast[poll_id] = data
        while len(self._cast) > MOST:
            del self._cast[next(iter(self._cast))]

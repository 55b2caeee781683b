"""Two people in a room beside a flood: what one says, how long it takes until the other hears it, and what it costs."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

from anonchat.testing.clients import Rest, Socket, connected

TICK_SECONDS = 0.001


def open_room(rest: Rest, people: int) -> list[str]:
    """A room; the session tokens of so many people in it."""
    room = rest.call("POST", "/api/rooms", {"title": "Floods", "maxParticipants": max(2, people)}).body
    path, invite = f"/api/rooms/{room['roomId']}/join", room["inviteToken"]
    names = (f"Person {number}" for number in itertools.count())
    return [
        rest.call("POST", path, {"inviteToken": invite, "username": name}).body["sessionToken"]
        for name in itertools.islice(names, people)
    ]


async def talk(
    port: int, tokens: Sequence[str], count: int, rate: float, text: str = "", most_waiting: int = 1_000
) -> list[float]:
    """Say `count` messages at `rate` a second; the seconds until each was heard. Raises AssertionError if one was not.

    While `most_waiting` are not heard nothing is said: on a busy machine the two would be those who do not read.
    """
    loop = asyncio.get_running_loop()
    async with connected(port) as speaker, connected(port) as hearer:
        for socket, token in ((speaker, tokens[0]), (hearer, tokens[1])):
            await socket.send("identify", {"token": token})
            await socket.until("history_chunk")
        sent: list[float] = []
        acked = asyncio.ensure_future(_acks(speaker, count))
        times: list[float] = []
        heard = asyncio.ensure_future(_hear(hearer, count, times))
        begun = loop.time()
        while len(sent) < count:
            due = min(count, int((loop.time() - begun) * rate) + 1, len(times) + most_waiting)
            for number in range(len(sent), due):
                sent.append(loop.time())
                await speaker.send("send_message", {"text": f"{number} {text}", "clientMsgId": f"{begun}-{number}"})
            await asyncio.sleep(TICK_SECONDS)
            if heard.done() and heard.exception() is not None:
                break
        await asyncio.gather(acked, heard)
        return [at - since for since, at in zip(sent, times, strict=True)]


async def _acks(speaker: Socket, count: int) -> None:
    for _ in range(count):
        await speaker.until("message_ack")
        speaker.passed.clear()


async def _hear(hearer: Socket, count: int, times: list[float]) -> None:
    """Note when each was heard; in order and without a gap, or it fails."""
    for number in range(count):
        told = await hearer.until("message")
        times.append(asyncio.get_running_loop().time())
        assert told["data"]["content"]["text"].split()[0] == str(number)
        hearer.passed.clear()


def resident_bytes(pid: int) -> int:
    """Memory of a process (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024

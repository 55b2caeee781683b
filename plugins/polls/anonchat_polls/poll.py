"""A poll as it is stored, and the message that carries it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from anonchat import ChatError, Message, Row, new_id
from anonchat_polls.secrecy import SECRET

TYPE = "poll"


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll. `voters` and `totals` (by option) are the stored result of a secret one."""

    id: str
    message_id: str
    room_id: str
    owner_id: str
    question: str
    options: tuple[str, ...]
    multiple: bool
    secrecy: str
    created_at: int
    closes_at: int | None
    closed_at: int | None
    voters: int | None
    totals: tuple[int, ...] | None

    @property
    def is_secret(self) -> bool:
        return self.secrecy == SECRET

    @property
    def is_closed(self) -> bool:
        return self.closed_at is not None

    @property
    def is_discarded(self) -> bool:
        """Whether it is a secret poll in which too few have voted."""
        return self.is_secret and self.is_closed and self.totals is None

    def check_votable(self, now: int) -> None:
        """Raise `poll_closed` where no vote may come any more."""
        if self.is_closed or (self.closes_at is not None and self.closes_at <= now):
            raise ChatError("poll_closed")

    def numbers_of(self, option_ids: Iterable[str]) -> list[int]:
        """The numbers of options, in order. Raises `unknown_option`."""
        known = {str(number): number for number in range(1, len(self.options) + 1)}
        try:
            return sorted({known[option_id] for option_id in option_ids})
        except KeyError as error:
            raise ChatError("unknown_option") from error


def poll_of(row: Row) -> Poll:
    """A poll from its row."""
    return Poll(
        id=row["id"],
        message_id=row["message_id"],
        room_id=row["room_id"],
        owner_id=row["owner_id"],
        question=row["question"],
        options=tuple(json.loads(row["options"])),
        multiple=bool(row["multiple"]),
        secrecy=row["secrecy"],
        created_at=row["created_at"],
        closes_at=row["closes_at"],
        closed_at=row["closed_at"],
        voters=row["voters"],
        totals=tuple(json.loads(row["totals"])) if row["totals"] is not None else None,
    )


def options_wire(options: Iterable[str]) -> list[dict[str, str]]:
    """Options on the wire: their ids are their numbers."""
    return [{"id": str(number), "text": text} for number, text in enumerate(options, 1)]


def content_of(asked: Mapping[str, Any], secrecy_text: str, seconds: int | None) -> dict[str, Any]:
    """The content of the message of a new poll, from the data of `create_poll`; it closes after so many seconds.

    For how long, and not until when: the message may be held, and what it says cannot change when it is released.

    `text` is the poll for whoever knows no polls: rules of moderation, simple clients.
    """
    lines = [f"{number}. {option}" for number, option in enumerate(asked["options"], 1)]
    content = {
        "type": TYPE,
        "text": "\n".join([asked["question"], *lines]),
        "pollId": new_id(),
        "question": asked["question"],
        "options": options_wire(asked["options"]),
        "allowMultipleAnswers": asked["allow_multiple_answers"],
        "secrecy": asked["secrecy"],
        "secrecyText": secrecy_text,
    }
    return content if seconds is None else content | {"closesInSeconds": seconds}


def is_poll(content: Mapping[str, Any]) -> bool:
    """Whether a message with this content carries a poll. Only this plugin can have made it: clients send text."""
    return content.get("type") == TYPE and "pollId" in content


def row_of(message: Message) -> dict[str, Any]:
    """The row of the poll that a message carries. It begins when the message becomes visible, which is its time."""
    content = message.content
    seconds = content.get("closesInSeconds")
    return {
        "id": content["pollId"],
        "message_id": message.id,
        "room_id": message.room_id,
        "owner_id": message.session_id,
        "question": content["question"],
        "options": json.dumps([option["text"] for option in content["options"]]),
        "multiple": int(content["allowMultipleAnswers"]),
        "secrecy": content["secrecy"],
        "created_at": message.created_at,
        "closes_at": None if seconds is None else message.created_at + seconds * 1_000,
        "closed_at": None,
        "version": 0,
        "told": 0,
        "told_at": 0,
        "voters": None,
        "totals": None,
    }

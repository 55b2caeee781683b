"""The polls of a room: how they stand, and what one has voted for oneself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anonchat.client.checks.plugins import POLL_CONTENT, POLL_STATE
from anonchat.client.reducers.removals import removal
from anonchat.client.times import later

MOST = 1_000
STATE = ("secrecy", "closesAt", "closedAt", "voters", "totals", "discarded", "optionIds", "voted")


@dataclass
class Polls:
    """By poll id, each with `pollId`, `messageId`, `seq` (of its message, if that is known) and all of `STATE`.

    `voters` and `totals` are None where one may not see them; `optionIds` and `voted` are one's own votes, as far as the
    server has told of them since one came.
    """

    all: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def apply(self, event: str, data: Mapping[str, Any]) -> None:
        """Take in an event; others change nothing."""
        match event:
            case "history_chunk":
                self._page(data)
            case "message":
                self._carried(data)
            case "message_edited":
                self._carried(data["message"])
            case "message_deleted" | "messages_removed":
                is_gone = removal(event, data)
                self.all = {key: poll for key, poll in self.all.items() if not is_gone(poll["messageId"], poll["seq"])}
            case "poll_update" | "poll_closed" | "poll_results":
                self._put(data, {name: data[name] for name in STATE if data.get(name) is not None})
            case "open_polls":
                for poll in data["polls"]:
                    self._put(poll, {name: poll.get(name) for name in STATE})
            case "vote_recorded" | "vote_removed":
                self._own(data["pollId"], {"optionIds": data["optionIds"], "voted": bool(data["optionIds"])})
            case "vote_pending":
                self._own(data["pollId"], {"voted": True})

    def _page(self, data: Mapping[str, Any]) -> None:
        if data.get("recovered") is False:
            self.all = {}
        for wire in data["messages"]:
            self._carried(wire)

    def _carried(self, wire: Mapping[str, Any]) -> None:
        """The poll of a message: new, as it begins; its present state where the server has added it."""
        content = wire["content"]
        if content.get("type") != "poll" or not POLL_CONTENT(content):
            return
        about = {"pollId": content["pollId"], "messageId": wire["id"]}
        begun = {} if content["pollId"] in self.all else _beginning(wire)
        ext = wire.get("ext")
        state = ext.get("polls") if isinstance(ext, Mapping) else None
        told = state if isinstance(state, Mapping) and POLL_STATE(state) else {}
        known = {name: told[name] for name in STATE if told.get(name) is not None}
        self._put(about, {**begun, **known, "seq": wire["seq"]})

    def _put(self, about: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        nothing = {"pollId": about["pollId"], "messageId": about["messageId"], "seq": None, **dict.fromkeys(STATE)}
        self.all[about["pollId"]] = {**self.all.get(about["pollId"], nothing), **change}
        while len(self.all) > MOST:
            del self.all[next(iter(self.all))]

    def _own(self, poll_id: str, change: Mapping[str, Any]) -> None:
        poll = self.all.get(poll_id)
        if poll is None:
            return
        is_over = poll["closedAt"] is not None or poll["secrecy"] == "open"
        hidden = {} if is_over or change["voted"] else {"totals": None}
        self.all[poll_id] = {**poll, **change, **hidden}


def _beginning(wire: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a poll in which nobody has voted yet, as the server would tell it."""
    content = wire["content"]
    return {
        "secrecy": content["secrecy"],
        "closesAt": later(wire["createdAt"], content.get("closesInSeconds")),
        "voters": None if content["secrecy"] == "secret" else 0,
        "totals": {option["id"]: 0 for option in content["options"]} if content["secrecy"] == "open" else None,
        "discarded": False,
        "optionIds": [],
        "voted": False,
    }

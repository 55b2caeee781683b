"""The state of a client that went through anything equals that of one that never left or has just come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from anonchat.client import RoomState

Item = tuple[str, dict[str, Any], int]

ACTS = st.tuples(
    st.sampled_from(["send", "send", "send", "edit", "delete", "remove", "remove_through"]), st.integers(0, 99)
)


class Model:
    """A room as the server keeps it: its messages as they are now, and what happened."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.log: list[Item] = []

    @property
    def seq(self) -> int:
        return len(self.log)

    def act(self, what: str, number: int) -> None:
        seq = self.seq + 1
        alive = [wire for wire in self.messages.values() if "deletedAt" not in wire]
        chosen = alive[number % len(alive)] if alive else None
        if what == "send" or chosen is None:
            wire = {
                "id": f"m{seq}", "seq": seq, "changedSeq": seq, "authorSessionId": f"s{number % 3}", "mentions": [],
                "authorUsername": "Ann", "createdAt": "2026-11-20T20:15:00.000Z",
                "content": {"type": "text", "text": str(number)}, "replyToId": f"m{number}",
            }  # fmt: skip
            self.messages[f"m{seq}"] = wire
            self.log.append(("message", wire, seq))
        elif what == "edit":
            changed = chosen | {"content": {"type": "text", "text": f"{number}!"}, "editedAt": "t", "changedSeq": seq}
            self.messages[chosen["id"]] = changed
            self.log.append(("message_edited", {"message": changed}, seq))
        elif what == "delete":
            left = {key: value for key, value in chosen.items() if key not in ("editedAt", "replyToId")}
            empty = {"content": {"type": "text", "text": ""}, "mentions": [], "deletedAt": "t", "changedSeq": seq}
            self.messages[chosen["id"]] = left | empty
            self.log.append(("message_deleted", {"messageId": chosen["id"], "by": "author", "deletedAt": "t"}, seq))
        elif what == "remove":
            del self.messages[chosen["id"]]
            self.log.append(("messages_removed", {"messageIds": [chosen["id"]]}, seq))
        else:
            through = chosen["seq"]
            self.messages = {key: wire for key, wire in self.messages.items() if wire["seq"] > through}
            self.log.append(("messages_removed", {"throughSeq": through}, seq))

    def replay(self, since: int) -> list[Item]:
        """What a client missed, with the present state of each message; what is purged is left out, as `gone` is."""
        items: list[Item] = []
        for event, data, seq in self.log[since:]:
            wire = data if event == "message" else data.get("message")
            if wire is None:
                items.append((event, data, seq))
            elif wire["id"] in self.messages:
                now = self.messages[wire["id"]]
                items.append((event, now if event == "message" else {"message": now}, seq))
        return items

    def page(self, before: int, limit: int) -> dict[str, Any]:
        found = [wire for wire in self.messages.values() if wire["seq"] < before]
        return {"messages": found[-limit:], "hasMore": len(found) > limit, "epoch": "e", "seq": self.seq}


def fresh(model: Model, limit: int = 1_000) -> RoomState:
    state = RoomState()
    state.apply("history_chunk", model.page(10**9, limit) | {"recovered": False})
    return state


@given(st.lists(ACTS, max_size=30), st.lists(ACTS, max_size=30), st.lists(ACTS, max_size=30))
@settings(deadline=None)
def test_any_way_to_the_present_ends_in_the_same_state(
    first: list[tuple[str, int]], missed: list[tuple[str, int]], last: list[tuple[str, int]]
) -> None:
    model = Model()
    always, returning = RoomState(), RoomState()
    for state in (always, returning):
        state.apply("history_chunk", model.page(10**9, 50) | {"recovered": False})
    for acts, clients in ((first, (always, returning)), (missed, (always,))):
        for what, which in acts:
            model.act(what, which)
            for client in clients:
                client.apply(*model.log[-1])
    for item in model.replay(len(first)):
        returning.apply(*item)
    for what, which in last:
        model.act(what, which)
        for client in (always, returning):
            client.apply(*model.log[-1])
    assert list(always.messages.values()) == list(model.messages.values())
    assert returning.messages == always.messages == fresh(model).messages
    assert list(returning.messages) == list(always.messages)


@given(st.lists(ACTS, min_size=12, max_size=40), st.lists(ACTS, max_size=20), st.integers(1, 5))
@settings(deadline=None)
def test_a_page_that_was_overtaken_by_changes_is_mended(
    before: list[tuple[str, int]], overtaking: list[tuple[str, int]], limit: int
) -> None:
    model = Model()
    for what, which in before:
        model.act(what, which)
    state = fresh(model, limit)
    oldest = min((wire["seq"] for wire in state.messages.values()), default=0)
    page = model.page(oldest, 1_000)
    for what, which in overtaking:
        model.act(what, which)
        state.apply(*model.log[-1])
    state.apply("history_chunk", page)
    assert list(state.messages.values()) == list(model.messages.values())


def test_an_older_copy_never_replaces_a_newer_one() -> None:
    model = Model()
    model.act("send", 1)
    old = model.page(10**9, 10)
    model.act("edit", 0)
    state = fresh(model)
    state.apply("history_chunk", old)
    assert state.messages == model.messages


def test_the_oldest_are_let_go_above_the_bound() -> None:
    model, state = Model(), RoomState(bound=10)
    for number in range(25):
        model.act("send", number)
        state.apply(*model.log[-1])
    assert list(state.messages) == [f"m{seq}" for seq in range(16, 26)]
    assert state.has_more


def test_people_and_room() -> None:
    state = RoomState()
    ann: Mapping[str, Any] = {"sessionId": "a", "username": "Ann", "role": "moderator"}
    bob: Mapping[str, Any] = {"sessionId": "b", "username": "Bob", "role": "participant"}
    room = {"title": "T", "isOpen": True}
    state.apply("identified", {"sessionId": "a", "username": "Ann", "room": room, "epoch": "e", "seq": 0, "ext": {}})
    state.apply("presence_state", {"users": [ann], "total": 1, "version": 1})
    state.apply("presence", {"event": "join", "user": bob, "total": 2, "version": 2})
    assert (list(state.people), state.total, state.me["username"]) == (["a", "b"], 2, "Ann")
    state.apply("presence", {"event": "leave", "user": ann, "total": 1, "version": 3})
    state.apply("presence_removed", {"sessionId": "b", "reason": "kicked"})
    state.apply("presence", {"event": "count", "total": 300, "version": 9})
    assert (state.people, state.total) == ({}, 300)
    state.apply("room_updated", {"room": {"title": "U"}})
    state.apply("room_closed", {})
    assert (state.room["title"], state.room["isOpen"], room["title"]) == ("U", False, "T")
    state.apply("room_ended", {"reason": "expired", "deleted": {"messages": 3}})
    state.apply("something_of_a_plugin", {"x": 1})
    assert state.ended == {"reason": "expired", "deleted": {"messages": 3}}


def test_ones_own_messages_are_in_order_with_those_that_wait() -> None:
    state = RoomState()
    state.apply("identified", {"sessionId": "a", "username": "Ann", "room": {"title": "T"}})

    def wire(key: str, second: int, author: str = "a") -> dict[str, Any]:
        at = f"2026-11-20T20:15:{second:02}.000Z"
        who = {"authorSessionId": author, "authorUsername": author, "createdAt": at}
        return {"id": key, "content": {"type": "text", "text": key}, **who}

    def held(key: str, second: int, author: str = "a") -> None:
        state.apply("held_message", {"message": wire(key, second, author), "reason": "Why not."})

    def mine() -> list[str]:
        return [one["id"] for one in state.mine()]

    held("h1", 20)
    held("of another", 21, "b")
    # The clock of the node that took the second was behind: it is the newer one all the same.
    for seq, (key, second) in enumerate({"m1": 10, "m2": 9, "m3": 30}.items(), 1):
        state.apply("message", wire(key, second) | {"seq": seq}, seq)
    state.apply("message", wire("m4", 40, "b") | {"seq": 4}, 4)
    assert mine() == ["m1", "m2", "h1", "m3"]
    held("h2", 50)
    state.apply("message_deleted", {"messageId": "m2"}, 5)
    assert mine() == ["m1", "h1", "m3", "h2"]
    # A page may bring what was released before that is told.
    page = {"messages": [wire("h2", 55) | {"seq": 6}], "hasMore": False, "epoch": "e", "seq": 6}
    state.apply("history_chunk", page)
    assert mine() == ["m1", "h1", "m3", "h2"]
    state.apply("message_dropped", {"messageId": "h1"})
    assert mine() == ["m1", "m3", "h2"]

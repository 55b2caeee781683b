"""What a plugin does wrong while people chat is contained: it costs its own part, and it is named."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import bindparam, column, literal, select
from sqlalchemy.sql import ClauseElement
from structlog.testing import capture_logs

from anonchat import (
    Answer,
    Call,
    ChatError,
    ClientEvent,
    Denied,
    Draft,
    Edit,
    Held,
    Job,
    Message,
    PluginContext,
    Rejected,
    Request,
    Room,
    Route,
    Schema,
    ServerEvent,
    Session,
    Transaction,
    hookimpl,
)
from anonchat.app import Server
from anonchat.testing import Budgets, running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import is_on_postgres
from anonchat.testing.people import open_room, request

pytestmark = pytest.mark.gen_test

QUICK = Budgets(guard_seconds=0.3, observer_seconds=0.3, handler_seconds=0.9, shutdown_seconds=2, blocked_seconds=0.3)
Deed = Callable[[], Awaitable[Any]]


def serving(folder: Path, *plugins: object, budgets: Budgets = QUICK) -> AbstractAsyncContextManager[Server]:
    """A server with the plugin "dice", and "other" after it."""
    return running_server(
        settings_in(folder), plugins=dict(zip(("dice", "other"), plugins, strict=False)), budgets=budgets
    )


def failures(server: Server, hook: str, plugin: str = "dice") -> float:
    """How often a plugin has failed in a hook, as the operator sees it."""
    labels = {"plugin": plugin, "hook": hook}
    return server.metrics.registry.get_sample_value("anonchat_plugin_failures_total", labels) or 0


async def fail() -> None:
    raise ValueError("no dice")


async def exit_process() -> None:
    raise SystemExit(3)


async def hang() -> None:
    await asyncio.Event().wait()


async def cancel_itself() -> None:
    raise asyncio.CancelledError


async def answer_nonsense() -> object:
    return "nonsense"


WRONG = pytest.mark.parametrize("deed", [fail, exit_process, hang, cancel_itself, answer_nonsense])


# --- guards and filters fail closed


class Guarding:
    """Guards and filters that all do the same."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed

    @hookimpl
    async def check_join(self) -> Denied | None:
        return await self.deed()  # type: ignore[no-any-return]

    @hookimpl
    async def check_delete(self) -> Denied | None:
        return await self.deed()  # type: ignore[no-any-return]

    @hookimpl
    async def check_connect(self) -> Denied | None:
        return await self.deed()  # type: ignore[no-any-return]

    @hookimpl
    async def filter_message(self, draft: Draft) -> Draft | Rejected | None:
        return await self.deed()  # type: ignore[no-any-return]

    @hookimpl
    async def filter_edit(self, edit: Edit) -> Edit | Rejected | None:
        return await self.deed()  # type: ignore[no-any-return]


async def allow() -> None:
    return None


@WRONG
async def test_a_guard_that_fails_denies(tmp_path: Path, deed: Deed) -> None:
    plugin = Guarding(allow)
    async with serving(tmp_path, plugin) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            said = await alice.say("Hello")
            plugin.deed = deed
            refused = await room.join("Bob")
            assert (refused.status, refused.body["code"]) == (500, "plugin_failed")
            answer = await alice.ask("delete_message", {"messageId": said.data["serverMessageId"]})
            assert answer.data["code"] == "plugin_failed"
            second = await room.identify("Alice", alice.session_id, alice.token)
            assert second.welcome[-1].data["code"] == "plugin_failed"
            await second.close()
            assert (await alice.ask("heartbeat")).event == "heartbeat_ack"
        assert [failures(server, hook) for hook in ("check_join", "check_delete", "check_connect")] == [1, 1, 1]


@WRONG
async def test_a_filter_that_fails_refuses(tmp_path: Path, deed: Deed) -> None:
    plugin = Guarding(allow)
    async with serving(tmp_path, plugin) as server, (await open_room(server)).enter("Alice") as alice:
        said = await alice.say("Hello")
        plugin.deed = deed
        assert (await alice.say("Again")).data["code"] == "plugin_failed"
        edit = {"messageId": said.data["serverMessageId"], "text": "Bye"}
        assert (await alice.ask("edit_message", edit)).data["code"] == "plugin_failed"
        plugin.deed = allow
        assert (await alice.say("Better")).data["seq"] == 2
        assert [failures(server, hook) for hook in ("filter_message", "filter_edit")] == [1, 1]


async def test_a_held_message_keeps_what_filters_make_of_it(tmp_path: Path) -> None:
    """Those before the one that holds it, and those after it, which may also refuse it."""

    class Marks:
        def __init__(self, mark: str) -> None:
            self.mark = mark

        @hookimpl
        async def filter_message(self, draft: Draft) -> Draft | Rejected:
            if "refuse" in draft.content["text"]:
                return Rejected("message_refused")
            return replace(draft, content={**draft.content, "text": draft.content["text"] + self.mark})

    class Holds:
        def __init__(self, reason: str) -> None:
            self.reason = reason

        @hookimpl
        async def filter_message(self) -> Held:
            return Held(None, self.reason)

    plugins = {"one": Marks("1"), "two": Holds("first"), "three": Marks("2"), "four": Holds("second")}
    async with running_server(settings_in(tmp_path), plugins=plugins) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            told = await alice.say("text")
            assert (told.event, told.data["reason"]) == ("message_held", "first")
            assert (await alice.say("refuse")).data["code"] == "message_refused"
            (held,) = await server.held.of_room(room.id, 10)
            assert held.message.content["text"] == "text12"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda draft: replace(draft, content={"type": "text", "text": object()}),
        lambda draft: replace(draft, content={1: "text"}),
        lambda draft: replace(draft, content="text"),
        lambda draft: replace(draft, content={"text": "no type"}),
        lambda draft: replace(draft, mentions=("Bob", 1)),
        lambda draft: replace(draft, mentions=None),
        lambda draft: replace(draft, room_id="another"),
        lambda draft: replace(draft, session=replace(draft.session, username="Mallory")),
        lambda draft: replace(draft, client_msg_id="another"),
        lambda draft: replace(draft, reply_to_id=5),
        lambda _: Held("tomorrow", "Wait."),  # type: ignore[arg-type]
        lambda _: Held(None, None),  # type: ignore[arg-type]
        lambda _: Rejected(None),  # type: ignore[arg-type]
        lambda _: Rejected(["a"], 5),  # type: ignore[arg-type]
    ],
)
async def test_a_filter_cannot_spoil_the_messages_of_others(tmp_path: Path, spoil: Callable[[Draft], object]) -> None:
    class Spoiling:
        @hookimpl
        async def filter_message(self, draft: Draft) -> object:
            return spoil(draft) if draft.session.username == "Mallory" else None

    async with serving(tmp_path, Spoiling()) as server:
        room = await open_room(server)
        async with room.enter("Mallory") as mallory, room.enter("Alice") as alice:
            waiting = [
                (person, await person.send("send_message", {"text": text, "clientMsgId": text}))
                for text in ("one", "two")
                for person in (mallory, alice)
            ]
            outcomes = [(await person.answer(frame_id)).data.get("code", "sent") for person, frame_id in waiting]
            assert outcomes == ["plugin_failed", "sent"] * 2
        assert failures(server, "filter_message") == 2


async def test_a_refusal_by_exception_is_no_failure(tmp_path: Path) -> None:
    async def refuse() -> None:
        raise ChatError("dice.no", "Not today.", retry_after_ms=5)

    async with serving(tmp_path, Guarding(refuse)) as server:
        refused = await (await open_room(server)).join("Alice")
        assert (refused.body["code"], refused.body["detail"]) == ("dice.no", "Not today.")
        assert failures(server, "check_join") == 0


# --- hooks that write


class Writing:
    """A hook that writes, and raises what it is given."""

    def __init__(self, raised: Sequence[Exception]) -> None:
        self.raised = list(raised)
        self.runs = 0

    @hookimpl
    async def write_messages(self, tx: Transaction) -> None:
        self.runs += 1
        if self.raised:
            raise self.raised.pop()


def full_disk() -> Exception:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


async def test_what_the_storage_does_to_a_hook_that_writes_is_not_the_plugins_failure(tmp_path: Path) -> None:
    """A full disk is told as such; what Postgres undid for a deadlock runs again."""
    dice = Writing([asyncpg.DeadlockDetectedError() if is_on_postgres() else full_disk()])
    async with serving(tmp_path, dice) as server, (await open_room(server)).enter("Alice") as alice:
        answer = await alice.say("Hello")
        if is_on_postgres():
            assert (answer.event, dice.runs) == ("message_ack", 2)
        else:
            assert answer.data["code"] == "storage_full"
        assert failures(server, "write_messages") == 0
        assert (await alice.say("Again")).event == "message_ack"


@pytest.mark.parametrize("statement", [select(column("nothing")), select(bindparam("nothing"))])
async def test_a_statement_that_is_wrong_is_the_plugins_failure(tmp_path: Path, statement: ClauseElement) -> None:
    class Wrong:
        @hookimpl
        async def write_messages(self, tx: Transaction) -> None:
            await tx.fetch_one(statement)

    async with serving(tmp_path, Wrong()) as server, (await open_room(server)).enter("Alice") as alice:
        assert (await alice.say("Hello")).data["code"] == "plugin_failed"
        assert failures(server, "write_messages") > 0


@pytest.mark.sqlite
async def test_a_hook_that_writes_and_awaits_something_else_is_the_plugins_failure(tmp_path: Path) -> None:
    class Slow:
        @hookimpl
        async def write_messages(self, tx: Transaction) -> None:
            await asyncio.sleep(0)

    async with serving(tmp_path, Slow()) as server, (await open_room(server)).enter("Alice") as alice:
        with capture_logs() as logs:
            assert (await alice.say("Hello")).data["code"] == "plugin_failed"
        assert failures(server, "write_messages") > 0
        failed = [(line["plugin"], line["hook"]) for line in logs if line["log_level"] == "error"]
        assert set(failed) == {("dice", "write_messages")}


async def test_a_refusal_by_a_hook_that_writes_is_told_where_it_can_be(tmp_path: Path) -> None:
    fine, odd = [ChatError("dice.no"), ChatError("dice.no")], [ChatError("dice.no", status=499) for _ in range(2)]
    async with serving(tmp_path, Writing(odd + fine)) as server, (await open_room(server)).enter("Alice") as alice:
        assert (await alice.say("Hello")).data["code"] == "dice.no"
        assert failures(server, "write_messages") == 0
        assert (await alice.say("Hello")).data["code"] == "plugin_failed"


# --- observers and enrichers cost nobody anything


class Observing:
    """Observers of messages, and a guard."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed
        self.seen: list[str] = []

    @hookimpl
    async def message_saved(self, message: Message) -> None:
        self.seen.append(message.content["text"])
        await self.deed()

    @hookimpl
    async def check_join(self) -> Denied | None:
        return Denied("dice.full") if len(self.seen) > 1 else None


async def refuse_by_code() -> None:
    raise ChatError("storage_full")


@pytest.mark.parametrize("deed", [fail, exit_process, hang, cancel_itself, refuse_by_code])
async def test_an_observer_that_fails_disturbs_nobody(tmp_path: Path, deed: Deed) -> None:
    dice, other = Observing(deed), Observing(allow)
    async with serving(tmp_path, dice, other) as server, (await open_room(server)).enter("Alice") as alice:
        for text in ("one", "two"):
            assert (await alice.say(text)).event == "message_ack"
        await server.dispatcher.settle()
        assert dice.seen == other.seen == ["one", "two"]
        assert (failures(server, "message_saved"), failures(server, "message_saved", "other")) == (2, 0)
        assert server.dispatcher.state("dice") == "running"


async def test_twenty_failures_in_a_row_end_in_quarantine(tmp_path: Path) -> None:
    dice, other = Observing(fail), Observing(allow)
    async with serving(tmp_path, dice, other) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            for number in range(30):
                dice.deed = allow if number == 5 else fail  # one success in between starts the count anew
                await alice.say(str(number))
                await server.dispatcher.settle()
            assert dice.seen == [str(number) for number in range(26)]
            assert len(other.seen) == 30
        ready = await request(server, "GET", "/health/ready")
        assert ready.body["plugins"] == {"dice": "quarantined", "other": "running"}
        quarantined = server.metrics.registry.get_sample_value("anonchat_plugin_quarantined", {"plugin": "dice"})
        assert quarantined == 1
        assert (await room.join("Bob")).body["code"] == "dice.full", "its guards still hold"


@pytest.mark.parametrize(
    ("code", "failed"), [("room_ended", 0), ("message_not_found", 0), ("session_expired", 0), ("storage_full", 25)]
)
async def test_what_is_gone_or_away_quarantines_nobody(tmp_path: Path, code: str, failed: int) -> None:
    """What an observer hears of is gone as often as strangers wish. Neither does it hide failures that come between."""

    async def refuse() -> None:
        raise ChatError(code)

    dice = Observing(refuse)
    budgets = replace(QUICK, failures=2)
    async with serving(tmp_path, dice, budgets=budgets) as server, (await open_room(server)).enter("Alice") as alice:
        for number in range(25):
            await alice.say(str(number))
        await server.dispatcher.settle()
        assert server.dispatcher.state("dice") == "running"
        assert (len(dice.seen), failures(server, "message_saved")) == (25, failed)
        for deed in (fail, refuse, fail):
            dice.deed = deed
            await alice.say("Again")
            await server.dispatcher.settle()
        assert server.dispatcher.state("dice") == "quarantined"


async def test_what_an_observer_cannot_keep_up_with_is_dropped_and_counted(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    dice = Observing(wait)
    budgets = replace(QUICK, observations=2, observer_seconds=5)
    async with serving(tmp_path, dice, budgets=budgets) as server, (await open_room(server)).enter("Alice") as alice:
        for number in range(5):
            await alice.say(str(number))
        gate.set()
        await server.dispatcher.settle()
        assert dice.seen == ["0", "1", "2"]
        labels = {"plugin": "dice", "hook": "message_saved"}
        assert server.metrics.registry.get_sample_value("anonchat_plugin_dropped_total", labels) == 2


@pytest.mark.parametrize(("seconds", "state"), [(0.15, "quarantined"), (0.0, "running")], ids=["blocks", "control"])
async def test_an_observer_that_blocks_again_and_again_is_quarantined(
    tmp_path: Path, seconds: float, state: str
) -> None:
    """It comes to its end in time by its own measure, and nobody else had a turn meanwhile."""

    async def block() -> None:
        time.sleep(seconds)  # noqa: ASYNC251 (what is tested)

    dice = Observing(block)
    budgets = replace(QUICK, blocked_seconds=0.1, failures=3)
    async with serving(tmp_path, dice, budgets=budgets) as server, (await open_room(server)).enter("Alice") as alice:
        for number in range(5):
            assert (await alice.say(str(number))).event == "message_ack"
            await server.dispatcher.settle()
        assert server.dispatcher.state("dice") == state
        assert len(dice.seen) == (3 if seconds else 5)


class Enriching:
    """Enrichers that all do the same."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed

    @hookimpl
    async def extend_welcome(self, room: Room, session: Session) -> Mapping[str, Any]:
        return await self.deed()  # type: ignore[no-any-return]

    @hookimpl
    async def extend_messages(self) -> Mapping[str, Mapping[str, Any]]:
        return await self.deed()  # type: ignore[no-any-return]

    @hookimpl
    async def purge_room(self) -> Mapping[str, int]:
        return await self.deed()  # type: ignore[no-any-return]


async def answer_what_is_no_json() -> object:
    return {"file": object()}


async def answer_well() -> object:
    return {"files": 1}


@pytest.mark.parametrize("deed", [fail, exit_process, hang, cancel_itself, answer_nonsense, answer_what_is_no_json])
async def test_the_part_of_an_enricher_that_fails_is_missing(tmp_path: Path, deed: Deed) -> None:
    async with serving(tmp_path, Enriching(deed), Enriching(answer_well)) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            (identified,) = (heard for heard in alice.welcome if heard.event == "identified")
            assert identified.data["ext"] == {"other": {"files": 1}}
            await alice.say("Hello")
            history = await alice.ask("get_history")
            assert [message["content"]["text"] for message in history.data["messages"]] == ["Hello"]
            await server.retention.end(room.id, "test")
            deleted = (await alice.hear("room_ended")).data["deleted"]
            assert (deleted["messages"], deleted["other.files"]) == (1, 1)
            assert not any(category.startswith("dice.") for category in deleted)
        assert failures(server, "extend_welcome") == failures(server, "purge_room") == 1


# --- handlers


class Handling:
    """An event and a route whose handlers do the same."""

    def __init__(self, deed: Callable[..., Any]) -> None:
        self.deed = deed

    @hookimpl
    def register_client_events(self) -> list[ClientEvent]:
        return [ClientEvent("dice.roll", Schema(), self.deed)]

    @hookimpl
    def register_server_events(self) -> list[ServerEvent]:
        return [ServerEvent("dice.rolled")]

    @hookimpl
    def register_routes(self) -> list[Route]:
        return [Route("GET", "/api/dice", self.deed)]

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx


async def handle_and_fail(_: object) -> None:
    await fail()


async def handle_and_exit(_: object) -> None:
    await exit_process()


async def handle_and_hang(_: object) -> None:
    await hang()


async def handle_and_cancel(_: object) -> None:
    await cancel_itself()


async def answer_what_was_not_declared(call: Call | Request) -> Answer:
    if isinstance(call, Call):
        call.answer("dice.lost", {})
    return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    "handler",
    [handle_and_fail, handle_and_exit, handle_and_hang, handle_and_cancel, answer_what_was_not_declared],
)
async def test_a_handler_that_fails_answers_with_a_code(tmp_path: Path, handler: Callable[..., Any]) -> None:
    async with serving(tmp_path, Handling(handler)) as server, (await open_room(server)).enter("Alice") as alice:
        with capture_logs() as logs:
            assert (await alice.ask("dice.roll")).data["code"] == "plugin_failed"
            reply = await request(server, "GET", "/api/dice")
        assert (reply.status, reply.body["code"]) == (500, "plugin_failed")
        failed = [line["plugin"] for line in logs if "plugin" in line and line["log_level"] == "error"]
        assert failed == ["dice", "dice"]
        assert (failures(server, "event"), failures(server, "route")) == (1, 1)
        assert (await alice.say("Still here")).event == "message_ack"


def refusing(**parts: Any) -> Callable[..., Any]:
    async def refuse(_: object = None) -> None:
        raise ChatError("dice.bad", **parts)

    return refuse


UNTELLABLE = [
    refusing(errors={1: "not JSON"}),
    refusing(errors={"field": object()}),
    refusing(retry_after_ms=timedelta(seconds=5)),
    refusing(status=499),
    refusing(message=b"bytes"),
]


@pytest.mark.parametrize("handler", UNTELLABLE)
async def test_a_refusal_that_cannot_be_told_is_a_failure(tmp_path: Path, handler: Callable[..., Any]) -> None:
    dice, guarding = Handling(handler), Guarding(allow)
    async with serving(tmp_path, dice, guarding) as server, (await open_room(server)).enter("Alice") as alice:
        guarding.deed = handler
        assert (await alice.ask("dice.roll")).data["code"] == "plugin_failed"
        reply = await request(server, "GET", "/api/dice")
        assert (reply.status, reply.body["code"]) == (500, "plugin_failed")
        assert (await alice.say("Hello")).data["code"] == "plugin_failed"
        assert (failures(server, "event"), failures(server, "route")) == (1, 1)
        assert failures(server, "filter_message", "other") == 1
        assert (await alice.ask("heartbeat")).event == "heartbeat_ack"


@pytest.mark.parametrize("wait", [timedelta(seconds=5), 1.5, "5"])
async def test_a_denial_that_cannot_be_told_is_a_failure(tmp_path: Path, wait: Any) -> None:
    async def deny() -> Denied:
        return Denied("dice.no", retry_after_ms=wait)

    async with serving(tmp_path, Guarding(deny)) as server:
        refused = await (await open_room(server)).join("Alice")
        assert (refused.status, refused.body["code"]) == (500, "plugin_failed")
        assert failures(server, "check_join") == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"rolled": object()}),
        Answer({1: "rolled"}),  # type: ignore[dict-item]
        Answer({}, status=99),
        Answer({}, status="fine"),  # type: ignore[arg-type]
        Answer({}, headers={"X-Rolled": "6\r\nX-Forged: yes"}),
        Answer({}, headers={"X-Rolled": object()}),  # type: ignore[dict-item]
    ],
)
async def test_an_answer_that_cannot_be_sent_is_a_failure(tmp_path: Path, answer: Answer) -> None:
    async def handle(_: object) -> Answer:
        return answer

    async with serving(tmp_path, Handling(handle)) as server:
        with capture_logs() as logs:
            reply = await request(server, "GET", "/api/dice")
        assert (reply.status, reply.body["code"]) == (500, "plugin_failed")
        assert failures(server, "route") == 1
        assert [line["plugin"] for line in logs if line["log_level"] == "error"] == ["dice"]


async def test_an_event_that_was_not_declared_cannot_be_sent(tmp_path: Path) -> None:
    dice = Handling(handle_and_fail)
    async with serving(tmp_path, dice) as server:
        room = await open_room(server)
        for event in ("dice.lost", "message"):
            with pytest.raises(LookupError, match=r"'dice' sends .* without having declared it"):
                dice.ctx.rooms.broadcast(room.id, event, {})
            with pytest.raises(LookupError, match=r"register_server_events"):
                dice.ctx.rooms.send(room.id, "somebody", event, {})
            with pytest.raises(LookupError):
                await dice.ctx.db.transaction(lambda tx, event=event: tx.append(room.id, event, {}))  # type: ignore[misc]
        dice.ctx.rooms.broadcast(room.id, "dice.rolled", {})
        with pytest.raises(LookupError, match=r"'dice' appends 'dice.rolled' without .* durable=True"):
            await dice.ctx.db.transaction(lambda tx: tx.append(room.id, "dice.rolled", {}))


ASK = select(literal(1).label("one"))


async def test_the_database_inside_of_a_transaction_is_refused(tmp_path: Path) -> None:
    dice = Handling(handle_and_fail)
    asked: list[Callable[[], Awaitable[object]]] = [
        lambda: dice.ctx.db.fetch_one(ASK),
        lambda: dice.ctx.db.fetch_all(ASK),
        lambda: dice.ctx.db.read(lambda tx: tx.fetch_one(ASK)),
        lambda: dice.ctx.db.transaction(lambda tx: tx.fetch_one(ASK)),
    ]

    async def begin(_: Transaction) -> asyncio.Task[Any]:
        return asyncio.create_task(dice.ctx.db.read(lambda tx: tx.fetch_one(ASK)))

    async with serving(tmp_path, dice) as server:
        room = await open_room(server)
        for ask in asked:
            with pytest.raises(RuntimeError, match="inside of one use tx"):
                await dice.ctx.db.transaction(lambda _, ask=ask: ask(), room.id)  # type: ignore[misc]
            assert await ask()
        if is_on_postgres():  # on SQLite none can be begun there
            task = await dice.ctx.db.transaction(begin, room.id)
            assert await task


@pytest.mark.parametrize("statement", ["SELECT 1", None])
async def test_what_is_no_statement_is_refused(tmp_path: Path, statement: Any) -> None:
    dice = Handling(handle_and_fail)
    async with serving(tmp_path, dice):
        for ask in ("fetch_one", "fetch_all", "execute"):
            with pytest.raises(TypeError, match=r"A statement is one of SQLAlchemy, .* and no (str|NoneType)"):
                await dice.ctx.db.transaction(lambda tx, ask=ask: getattr(tx, ask)(statement))  # type: ignore[misc]
        with pytest.raises(TypeError, match="A statement is one of SQLAlchemy"):
            await dice.ctx.db.transaction(lambda tx: tx.execute_many(statement, [{}]))


async def test_data_that_are_no_json_are_refused_before_the_commit(tmp_path: Path) -> None:
    dice = Handling(handle_and_fail)

    async def tell(tx: Transaction) -> None:
        tx.tell(room.id, "dice.rolled", {"number": object()})

    async with serving(tmp_path, dice) as server:
        room = await open_room(server)
        with pytest.raises(TypeError, match="not JSON serializable"):
            await dice.ctx.db.transaction(tell, room.id)


async def test_what_belongs_into_the_event_loop_says_so_in_a_thread_and_harms_nobody(tmp_path: Path) -> None:
    calls: list[Call] = []

    async def keep(call: Call) -> None:
        calls.append(call)
        call.answer("dice.rolled", {"number": 0})

    dice = Handling(keep)
    async with serving(tmp_path, dice) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await alice.ask("dice.roll")
            deeds: list[Callable[[], object]] = [
                lambda: calls[0].answer("dice.rolled", {}),
                lambda: calls[0].fail(ChatError("dice.bad")),
                lambda: dice.ctx.rooms.broadcast(room.id, "dice.rolled", {}),
                lambda: dice.ctx.rooms.send(room.id, alice.session_id, "dice.rolled", {}),
                lambda: dice.ctx.sessions.disconnect(alice.session_id, 4403),
            ]
            for deed in deeds:
                with pytest.raises(RuntimeError, match=r"belongs into the event loop; in a transaction use tx\.tell"):
                    await asyncio.to_thread(deed)
            dice.ctx.rooms.broadcast(room.id, "dice.rolled", {"number": 1})
            assert (await alice.hear("dice.rolled")).data == {"number": 1}
            assert (await alice.say("Still here")).event == "message_ack"


async def test_a_plugin_that_floods_a_room_is_cut_off(tmp_path: Path) -> None:
    """Else its events would fill the queue of everybody there. Another room, and the next second, are not concerned."""
    dice = Handling(handle_and_fail)
    clock = SettableClock()
    async with (
        running_server(settings_in(tmp_path), clock, plugins={"dice": dice}) as server,
        (await open_room(server)).enter("Alice") as alice,
        (await open_room(server)).enter("Bob") as bob,
    ):
        rooms = [
            heard.data["roomId"] for person in (alice, bob) for heard in person.welcome if heard.event == "identified"
        ]
        with capture_logs() as logs:
            for number in range(5_000):
                dice.ctx.rooms.broadcast(rooms[0], "dice.rolled", {"number": number, "text": "x" * 100})
            dice.ctx.rooms.broadcast(rooms[1], "dice.rolled", {})
            clock.advance(seconds=2)
            dice.ctx.rooms.broadcast(rooms[0], "dice.rolled", {"number": "last"})
        heard = [(await alice.hear("dice.rolled")).data["number"] for _ in range(1_001)]
        assert heard == [*range(1_000), "last"]
        await bob.hear("dice.rolled")
        assert (await alice.say("Still here")).event == "message_ack"
        labels = {"plugin": "dice", "hook": "broadcast"}
        assert server.metrics.registry.get_sample_value("anonchat_plugin_dropped_total", labels) == 4_000
        assert {line["plugin"] for line in logs if "floods a room" in line["event"]} == {"dice"}


# --- time and tasks


async def test_a_plugin_that_blocks_the_event_loop_is_named(tmp_path: Path) -> None:
    (tmp_path / "dice.py").write_text(
        "import time\nfrom anonchat import hookimpl\n\n\nclass Plugin:\n    @hookimpl\n    async def check_join(self):\n"
        f"        time.sleep({QUICK.blocked_seconds + 0.6})\n"
    )
    settings = settings_in(tmp_path, plugins={"enabled": ("dice",), "plugins_dir": tmp_path})
    async with running_server(settings, budgets=QUICK) as server:
        await (await open_room(server)).join("Alice")
        assert server.metrics.registry.get_sample_value("anonchat_loop_blocked_total", {"by": "dice"}) == 1


async def test_tasks_are_bounded_and_end_with_the_server(tmp_path: Path) -> None:
    dice = Handling(handle_and_fail)
    async with serving(tmp_path, dice):
        tasks = [dice.ctx.spawn(hang()) for _ in range(100)]
        with pytest.raises(ChatError, match="overloaded"):
            dice.ctx.spawn(hang())
    assert all(task.cancelled() for task in tasks)


@pytest.mark.parametrize("deed", [fail, exit_process])
async def test_a_task_that_fails_is_logged_with_the_name_of_its_plugin(
    tmp_path: Path, deed: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    dice = Handling(handle_and_fail)
    async with serving(tmp_path, dice) as server:
        with capture_logs() as logs:
            await asyncio.wait([dice.ctx.spawn(deed())])
            await asyncio.sleep(0)
        assert ("a task of the plugin failed", "dice") in [(line["event"], line.get("plugin")) for line in logs]
        assert failures(server, "task") == 1


class Working:
    """A job that does the same again and again."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed
        self.runs = 0

    @hookimpl
    def register_jobs(self) -> list[Job]:
        return [Job("work", 0.25, self.run)]

    async def run(self) -> None:
        self.runs += 1
        await self.deed()


@pytest.mark.parametrize("deed", [fail, exit_process, cancel_itself])
async def test_a_job_that_fails_is_logged_and_runs_again(tmp_path: Path, deed: Deed) -> None:
    dice = Working(deed)
    with capture_logs() as logs:
        async with serving(tmp_path, dice) as server:
            while dice.runs < 2:
                await asyncio.sleep(0.05)
            labels = {"job": "dice.work", "outcome": "failed"}
            assert (server.metrics.registry.get_sample_value("anonchat_jobs_total", labels) or 0) >= 1
    assert deed is cancel_itself or {line["job"] for line in logs if line["event"] == "job failed"} == {"dice.work"}


class Stubborn(Observing):
    """Does not want to end: a task that swallows its cancellation, an observer and a shutdown that hang."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.gate = asyncio.Event()
        self.task = ctx.spawn(self.resist())

    async def resist(self) -> None:
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                continue

    @hookimpl
    async def shutdown(self) -> None:
        await hang()


async def test_a_plugin_cannot_keep_the_server_from_ending(tmp_path: Path) -> None:
    dice = Stubborn(hang)
    budgets = replace(QUICK, observer_seconds=60, shutdown_seconds=0.2)
    async with serving(tmp_path, dice, budgets=budgets) as server:
        async with (await open_room(server)).enter("Alice") as alice:
            await alice.say("Hello")
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert failures(server, "shutdown") == 1
    dice.gate.set()
    await dice.task

"""What is wrong with a plugin is found at the start, which is refused with one sentence that names it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import marshmallow
import pytest
from sqlalchemy import Column, ForeignKey, MetaData, Table, Text

from anonchat import ClientEvent, Job, Metric, PluginContext, Route, Schema, ServerEvent, StartError, Tables, hookimpl
from anonchat.config import ConfigError
from anonchat.plugins.budgets import Budgets
from anonchat.plugins.registry import bundled, load
from anonchat.testing import running_server, settings_in

pytestmark = pytest.mark.gen_test(timeout=20)


async def refusal(folder: Path, given: Mapping[str, object], **tables: Any) -> str:
    """The sentence with which a start is refused."""
    with pytest.raises(StartError) as refused:
        async with running_server(settings_in(folder, **tables), plugins=given, budgets=Budgets(life_seconds=0.05)):
            pass
    return str(refused.value)


def declaring(hook: str, answer: object) -> object:
    """A plugin that answers one declaring hook."""

    def declare(self: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return type("Declaring", (), {hook: hookimpl(declare)})()


def doing(hook: str, error: BaseException | None = None) -> object:
    """A plugin whose life-cycle hook raises, or hangs."""

    async def setup(self: object, ctx: PluginContext) -> None:
        await fail()

    async def startup(self: object) -> None:
        await fail()

    async def fail() -> None:
        if error is not None:
            raise error
        await asyncio.Event().wait()

    hooks: dict[str, Callable[..., object]] = {"setup": setup, "startup": startup}
    return type("Doing", (), {hook: hookimpl(hooks[hook])})()


async def handler(_: Any) -> Any:
    return None


async def work() -> None:
    return None


def event(name: str, **options: Any) -> ClientEvent:
    return ClientEvent(name, Schema(), handler, **options)


# --- hooks


async def test_an_unknown_hook(tmp_path: Path) -> None:
    class Plugin:
        @hookimpl
        async def filter_mesage(self, draft: object) -> None:
            """Misspelt."""

    text = await refusal(tmp_path, {"dice": Plugin()})
    assert "'dice' implements a hook that does not exist" in text
    assert "filter_mesage" in text


async def test_an_argument_that_a_hook_does_not_have(tmp_path: Path) -> None:
    class Plugin:
        @hookimpl
        async def filter_message(self, message: object) -> None:
            """The argument is called draft."""

    text = await refusal(tmp_path, {"dice": Plugin()})
    assert "'dice' does not fit" in text
    assert "message" in text


async def test_a_plain_function_where_an_async_one_is_due(tmp_path: Path) -> None:
    class Plugin:
        @hookimpl
        def message_saved(self, message: object) -> None:
            """Not async."""

    assert "'dice' must implement message_saved as an async function" in await refusal(tmp_path, {"dice": Plugin()})


@pytest.mark.parametrize("hook", ["register_routes", "register_hookspecs"])
async def test_an_async_function_where_a_plain_one_is_due(tmp_path: Path, hook: str) -> None:
    async def declare(self: object) -> list[object]:
        return []

    plugin = type("Plugin", (), {hook: hookimpl(declare)})()
    assert f"'dice' must implement {hook} as a plain function" in await refusal(tmp_path, {"dice": plugin})


# --- life cycle


@pytest.mark.parametrize("hook", ["setup", "startup"])
@pytest.mark.parametrize(
    ("error", "told"),
    [(ValueError("no dice"), "no dice"), (SystemExit(3), "raised SystemExit: 3"), (None, "took longer than 0.05 s")],
)
async def test_a_life_cycle_hook_that_fails(tmp_path: Path, hook: str, error: BaseException | None, told: str) -> None:
    text = await refusal(tmp_path, {"dice": doing(hook, error)})
    assert f"'dice' failed in {hook}" in text
    assert told in text


async def test_what_was_set_up_before_is_shut_down_and_its_tasks_end(tmp_path: Path) -> None:
    class First:
        was_shut_down = False

        @hookimpl
        async def setup(self, ctx: PluginContext) -> None:
            self.task = ctx.spawn(asyncio.sleep(3600))

        @hookimpl
        async def shutdown(self) -> None:
            self.was_shut_down = True

    class Last(First):
        pass

    first, last = First(), Last()
    await refusal(tmp_path, {"first": first, "dice": doing("setup", ValueError()), "last": last})
    assert first.task.cancelled()
    assert first.was_shut_down
    assert not last.was_shut_down


# --- declarations


DECLARING = [
    "register_config_schema", "register_tables", "register_routes", "register_client_events", "register_server_events",
    "register_web_assets", "register_metrics", "register_commands", "register_jobs", "register_hookspecs",
]  # fmt: skip


@pytest.mark.parametrize("hook", DECLARING)
async def test_a_declaring_hook_that_raises(tmp_path: Path, hook: str) -> None:
    text = await refusal(tmp_path, {"dice": declaring(hook, ValueError("no dice"))})
    assert f"'dice' failed in {hook}: ValueError('no dice')" in text


@pytest.mark.parametrize("hook", DECLARING)
async def test_an_answer_of_the_wrong_type(tmp_path: Path, hook: str) -> None:
    assert f"'dice' must answer {hook} with" in await refusal(tmp_path, {"dice": declaring(hook, "dice")})


@pytest.mark.parametrize(
    ("hook", "declared", "told"),
    [
        ("register_client_events", event("dice.roll"), "the event 'dice.roll', which 'dice' has"),
        ("register_client_events", event("send_message"), "the event 'send_message', which 'anonchat' has"),
        ("register_client_events", event("roll"), "must be named dice.<event>"),
        ("register_client_events", event("polls.roll"), "must be named dice.<event>"),
        ("register_client_events", event("dice.roll", limit="often"), "the limit 'often'"),
        ("register_client_events", ClientEvent("dice.roll", Schema, handler), "a schema object"),  # type: ignore[arg-type]
        ("register_server_events", ServerEvent("dice.rolled"), "the event 'dice.rolled', which 'dice' has"),
        ("register_server_events", ServerEvent("rolled"), "must be named dice.<event>"),
        ("register_routes", Route("GET", "/api/dice", handler), "GET /api/dice, which 'dice' has"),
        ("register_routes", Route("POST", "/api/rooms", handler), "POST /api/rooms, which 'anonchat' has"),
        ("register_jobs", Job("roll", 60, work), "Two jobs are named 'dice.roll'"),
        ("register_metrics", Metric("rolls", "counter", "Rolls."), "The metric 'rolls' of the plugin 'dice'"),
        ("register_metrics", Metric("no name", "counter", "Rolls."), "The metric 'no name' of the plugin 'dice'"),
    ],
)
async def test_a_name_that_is_taken_or_no_good(tmp_path: Path, hook: str, declared: object, told: str) -> None:
    text = await refusal(tmp_path, {"dice": declaring(hook, [declared, declared])})
    assert told in text
    assert "dice" in text


async def test_an_event_of_another_plugin(tmp_path: Path) -> None:
    first = declaring("register_server_events", [ServerEvent("first.event")])
    text = await refusal(
        tmp_path, {"first": first, "dice": declaring("register_server_events", [ServerEvent("first.event")])}
    )
    assert "'dice' declares the event 'first.event', which 'first' has declared already" in text


# --- tables


def tables(folder: Path, column: str, name: str = "dice_rolls") -> Tables:
    """A plugin's table whose migration makes `column` beside the id."""
    metadata = MetaData()
    Table(name, metadata, Column("id", Text, primary_key=True), Column("room_id", Text, ForeignKey("rooms.id")))
    migrations = folder / "migrations"
    migrations.mkdir(exist_ok=True)
    (migrations / "0001_first.py").write_text(
        '"""First."""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\nrevision = "dice_0001"\ndown_revision = None\n'
        f"\n\ndef upgrade() -> None:\n    op.create_table({name!r}, sa.Column('id', sa.Text, primary_key=True), {column})\n"
    )
    return Tables(metadata, migrations)


KEY = "sa.Column('room_id', sa.Text, sa.ForeignKey('rooms.id', ondelete='CASCADE'), nullable=False)"


async def test_a_table_that_cascades_is_taken(tmp_path: Path) -> None:
    plugin = declaring("register_tables", tables(tmp_path, KEY))
    async with running_server(settings_in(tmp_path), plugins={"dice": plugin}) as server:
        assert server.plugins.names == ("dice",)


@pytest.mark.parametrize("removed", [", ondelete='CASCADE'", ", nullable=False"])
async def test_a_table_that_would_outlive_its_room(tmp_path: Path, removed: str) -> None:
    plugin = declaring("register_tables", tables(tmp_path, KEY.replace(removed, "")))
    text = await refusal(tmp_path, {"dice": plugin})
    assert "The table dice_rolls of the plugin dice would outlive its room" in text
    assert text == await refusal(tmp_path, {"dice": plugin}), "the second start is refused too"


@pytest.mark.parametrize(("name", "owner"), [("messages", "anonchat"), ("dice_rolls", "first")])
async def test_a_table_that_is_taken(tmp_path: Path, name: str, owner: str) -> None:
    declared = declaring("register_tables", tables(tmp_path, KEY, name))
    text = await refusal(tmp_path, {"first": declaring("register_tables", tables(tmp_path, KEY)), "dice": declared})
    assert f"'dice' declares the table {name!r}, which {owner!r} has declared already" in text


async def test_a_migration_that_fails(tmp_path: Path) -> None:
    text = await refusal(tmp_path, {"dice": declaring("register_tables", tables(tmp_path, "no_such_thing"))})
    assert "dice_0001" in text
    assert "nothing was changed" in text


async def test_migrations_that_are_not_there(tmp_path: Path) -> None:
    plugin = declaring("register_tables", Tables(MetaData(), tmp_path / "nowhere"))
    assert "The migrations of dice are missing" in await refusal(tmp_path, {"dice": plugin})


# --- settings


class Sides(marshmallow.Schema):
    sides = marshmallow.fields.Integer(strict=True, validate=marshmallow.validate.Range(2, 1000))
    colour = marshmallow.fields.String()


async def test_every_bad_setting_of_every_plugin_is_told_with_its_path(tmp_path: Path) -> None:
    plugins = {name: declaring("register_config_schema", Sides) for name in ("dice", "other")}
    options = {"dice": {"sides": 1, "colour": 5, "size": 3}, "other": {"sides": "many"}}
    text = await refusal(tmp_path, plugins, plugins={"options": options})
    paths = ("plugins.dice.sides", "plugins.dice.colour", "plugins.dice.size", "plugins.other.sides")
    assert all(f"  {path}: " in text for path in paths)
    assert "4 errors" in text


async def test_a_plugin_without_settings_takes_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"plugins\.dice\.sides"):
        async with running_server(
            settings_in(tmp_path, plugins={"options": {"dice": {"sides": 6}}}), plugins={"dice": object()}
        ):
            pass


async def test_a_schema_of_settings_that_fails(tmp_path: Path) -> None:
    class Failing(marshmallow.Schema):
        @marshmallow.pre_load
        def fail(self, _data: object, **_: object) -> None:
            raise KeyError("no dice")

    text = await refusal(tmp_path, {"dice": declaring("register_config_schema", Failing)})
    assert "'dice' failed with its settings" in text


# --- finding


async def test_a_plugin_that_is_not_installed(tmp_path: Path) -> None:
    text = await refusal(tmp_path, {}, plugins={"enabled": ("nonesuch",)})
    assert "enabled names 'nonesuch', but no such plugin is installed" in text
    assert "\n" not in text


def test_all_stands_for_the_bundled_plugins() -> None:
    together = load(("all",))
    assert together.names == load(None).names == bundled()
    assert load(("all",), given={"dice": object()}).names == (*bundled(), "dice")
    with pytest.raises(StartError, match="enabled names 'polls' twice"):
        load(("polls", "all"))


async def test_a_plugin_that_is_named_twice(tmp_path: Path) -> None:
    assert "enabled names 'dice' twice" in await refusal(tmp_path, {}, plugins={"enabled": ("dice", "dice")})


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise ValueError('no dice')", "no dice"),
        ("import sys; sys.exit('no dice')", "no dice"),
        ("import nonesuch", "nonesuch"),
        ("this is no Python", "SyntaxError"),
        ("", "has no attribute 'Plugin'"),
    ],
)
async def test_a_plugin_that_cannot_be_loaded(tmp_path: Path, source: str, told: str) -> None:
    (tmp_path / "dice.py").write_text(source)
    text = await refusal(tmp_path, {}, plugins={"enabled": ("dice",), "plugins_dir": tmp_path})
    assert "The plugin 'dice' at" in text
    assert told in text


def install(site: Path, distribution: str) -> None:
    """A package with the plugin "dice", as pip leaves it."""
    (site / f"{distribution}.py").write_text("class Dice:\n    pass\n")
    info = site / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[anonchat.plugins]\ndice = {distribution}:Dice\n")


async def test_two_packages_with_a_plugin_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for distribution in ("red_dice", "blue_dice"):
        install(tmp_path, distribution)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = await refusal(tmp_path, {}, plugins={"enabled": ("dice",)})
    assert "Two packages offer a plugin 'dice': blue_dice, red_dice" in text


async def test_a_plugin_that_is_not_enabled_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "green_dice")
    monkeypatch.syspath_prepend(str(tmp_path))
    async with running_server(settings_in(tmp_path)):
        assert "green_dice" not in sys.modules
    async with running_server(settings_in(tmp_path, plugins={"enabled": ("dice",)})):
        assert "green_dice" in sys.modules

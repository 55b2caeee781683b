"""``anonchat room create``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from anonchat.commands.options import Refused, config_option, load

HOUR = 3_600
SCHEMES = ("http://", "https://")
# Where a refusal names a field, people look for the option that they gave.
OPTIONS = {
    "title": "TITLE",
    "description": "--description",
    "ephemeral": "--keep",
    "isPublic": "--public",
    "chatDurationSeconds": "--hours",
    "retentionSeconds": "--retention",
    "maxParticipants": "--max",
}
IN_HOURS = {"--hours", "--retention"}


@click.group()
def room() -> None:
    """Rooms of a running server."""


@room.command()
@click.argument("title")
@config_option
@click.option(
    "--server", help="Address of the server, such as https://chat.example.org; else that of the configuration."
)
@click.option("--description", default="", help="A few words below the title.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="How long the room lives.")
@click.option("--keep", is_flag=True, help="Keep messages until the room ends, instead of deleting each after a while.")
@click.option(
    "--retention", type=click.FloatRange(min=0, min_open=True), help="Hours after which a message is deleted."
)
@click.option("--max", "places", type=click.IntRange(1), help="How many people there is room for.")
@click.option("--public", is_flag=True, help="Show the room in the list of public rooms.")
@click.option("--operator-token", help="Where only the operator creates rooms; else that of the configuration is used.")
@click.option("--qr/--no-qr", default=None, help="A QR code of the link; without either, only in a terminal.")
def create(config: Path | None, server: str | None, operator_token: str | None, qr: bool | None, **wanted: Any) -> None:
    """Create a room on a running server and print its links."""
    from anonchat.maintenance.rest import Unreachable, call, local_address

    if server is None:
        settings = load(config)
        server, operator_token = local_address(settings), operator_token or settings.server.operator_token
    address = server.rstrip("/")
    if not address.lower().startswith(SCHEMES):
        raise Refused(f"{address} is no address of a server: it must begin with http:// or https://.")
    try:
        status, answer = call("POST", f"{address}/api/rooms", _body(**wanted), operator_token)
    except Unreachable as error:
        raise Refused(
            f"No server answers at {address} ({error}). Start it with: anonchat serve. "
            "If it runs elsewhere, name it with --server."
        ) from error
    if status != 201:
        raise Refused(_refusal(address, status, answer))
    _show(answer, sys.stdout.isatty() if qr is None else qr)


def _body(
    title: str,
    description: str,
    hours: float | None,
    keep: bool,
    retention: float | None,
    places: int | None,
    public: bool,
) -> dict[str, Any]:
    body = {
        "title": title,
        "description": description,
        "ephemeral": not keep,
        "isPublic": public,
        "chatDurationSeconds": _seconds(hours),
        "retentionSeconds": _seconds(retention),
        "maxParticipants": places,
    }
    return {name: value for name, value in body.items() if value is not None}


def _seconds(hours: float | None) -> int | None:
    return None if hours is None else max(1, round(hours * HOUR))


def _refusal(address: str, status: int, answer: dict[str, Any]) -> str:
    if "code" not in answer:
        return f"What answers at {address} is not anonchat (status {status}). Name the server with --server."
    problems = [f"\n  {_option(field)}: {' '.join(map(str, texts))}" for field, texts in _listed(answer.get("errors"))]
    return "".join([str(answer.get("detail") or answer["code"]), *problems])


def _option(field: str) -> str:
    """What the person at the terminal calls a field of the body, with the unit in which the server speaks of it."""
    option = OPTIONS.get(field, field)
    return f"{option} (in seconds)" if option in IN_HOURS else option


def _listed(errors: Any) -> list[tuple[str, list[Any]]]:
    if not isinstance(errors, dict):
        return []
    return [(field, texts if isinstance(texts, list) else [texts]) for field, texts in errors.items()]


def _show(answer: dict[str, Any], with_code: bool) -> None:
    click.echo(f"For your guests:       {answer['joinUrl']}")
    click.echo(f"For you as moderator:  {answer['moderatorUrl']}")
    click.echo("Both are shown this once. Whoever has the second one decides about the room.")
    if with_code:
        import segno

        segno.make(answer["joinUrl"], micro=False).terminal(out=sys.stdout, compact=True)

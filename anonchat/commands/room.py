"""``anonchat room``: open a room on a running server, or end one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
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
ROOM_ID = re.compile(r"(?:.*/r/)?([0-9a-f-]{36})(?:[/?#].*)?")

# Of which the server says that only the operator may do it: without a token, or with one that is not its own.
NOT_OPERATOR = ("not_identified", "forbidden")
TOKEN_VARIABLE = "ANONCHAT_SERVER__OPERATOR_TOKEN"

server_option = click.option(
    "--server", help="Address of the server, such as https://chat.example.org; else that of the configuration."
)
token_option = click.option(
    "--operator-token",
    envvar=TOKEN_VARIABLE,
    show_envvar=True,
    help="Best from the variable, which stays out of histories and lists of processes; else that of the configuration, "
    "without --server; else it is asked for, where somebody is at the terminal.",
)


@click.group()
def room() -> None:
    """Rooms of a running server."""


@room.command()
@click.argument("title")
@config_option
@server_option
@click.option("--description", default="", help="A few words below the title.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="How long the room lives.")
@click.option("--keep", is_flag=True, help="Keep messages until the room ends, instead of deleting each after a while.")
@click.option(
    "--retention", type=click.FloatRange(min=0, min_open=True), help="Hours after which a message is deleted."
)
@click.option("--max", "places", type=click.IntRange(1), help="How many people there is room for.")
@click.option("--public", is_flag=True, help="Show the room in the list of public rooms.")
@token_option
@click.option("--qr/--no-qr", default=None, help="A QR code of the link; without either, only in a terminal.")
def create(config: Path | None, server: str | None, operator_token: str | None, qr: bool | None, **wanted: Any) -> None:
    """Create a room on a running server and print its links."""
    answer = _post("/api/rooms", _body(**wanted), _is_made, config, server, operator_token)
    _show(answer, sys.stdout.isatty() if qr is None else qr)


@room.command()
@click.argument("named", metavar="LINK_OR_ID")
@config_option
@server_option
@token_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def end(named: str, config: Path | None, server: str | None, operator_token: str | None, yes: bool) -> None:
    """End a room that should not be there.

    Everybody is sent away, and everything in it is deleted. For the operator: it takes the operator token, and no link of
    a moderator.
    """
    found = ROOM_ID.fullmatch(named.strip())
    if found is None:
        raise Refused("This names no room. Give a link such as https://chat.example.org/r/<id>, or the id in it.")
    if not yes:
        click.confirm(f"Delete everything in the room {found[1]}, and end it for good?", abort=True)
    _post(f"/api/operator/rooms/{found[1]}/end", None, _is_done, config, server, operator_token)
    click.echo("The room has ended.")


def _is_made(answer: dict[str, Any]) -> bool:
    return isinstance(answer.get("joinUrl"), str) and isinstance(answer.get("moderatorUrl"), str)


def _is_done(answer: dict[str, Any]) -> bool:
    return answer.get("ok") is True


def _post(
    path: str,
    body: dict[str, Any] | None,
    is_ours: Callable[[dict[str, Any]], bool],
    config: Path | None,
    server: str | None,
    operator_token: str | None,
) -> dict[str, Any]:
    """What the server answers, that of the configuration where none is named. Raises `Refused` with what it says.

    Whatever is on a port may answer with 200: only what `is_ours` says that it was done.
    """
    from anonchat.maintenance.rest import local_address

    if server is None:
        settings = load(config)
        server, operator_token = local_address(settings), operator_token or settings.server.operator_token
    address = server.rstrip("/")
    if not address.lower().startswith(SCHEMES):
        raise Refused(f"{address} is no address of a server: it must begin with http:// or https://.")
    status, answer = _call(address, path, body, operator_token)
    if answer.get("code") in NOT_OPERATOR and not operator_token and sys.stdin.isatty():
        token = click.prompt("Operator token", hide_input=True, err=True)
        status, answer = _call(address, path, body, token)
    if status >= 300 or not is_ours(answer):
        raise Refused(_refusal(address, status, answer))
    return answer


def _call(
    address: str, path: str, body: dict[str, Any] | None, operator_token: str | None
) -> tuple[int, dict[str, Any]]:
    from anonchat.maintenance.rest import Redirected, Unreachable, call

    try:
        return call("POST", address + path, body, operator_token)
    except Unreachable as error:
        raise Refused(
            f"No server answers at {address} ({error}). Start it with: anonchat serve. "
            "If it runs elsewhere, name it with --server."
        ) from error
    except Redirected as error:
        elsewhere = str(error).removesuffix(path)
        raise Refused(
            f"The server {address} sends us to {elsewhere}. If that is right, name it with --server."
        ) from error


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
    if status < 300 or "code" not in answer:
        return f"What answers at {address} is not anonchat (status {status}). Name the server with --server."
    if answer["code"] in NOT_OPERATOR:
        return (
            "Only the operator may do that, with the token of the server: [server] operator_token. "
            f"Set it as {TOKEN_VARIABLE}, or give it with --operator-token."
        )
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

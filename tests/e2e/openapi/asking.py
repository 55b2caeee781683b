"""Who asks when schemathesis does, and in which room: loaded by it, with ``ANONCHAT_PORT`` and ``ANONCHAT_OPERATOR``."""

from __future__ import annotations

import os
from typing import Any

import schemathesis
from schemathesis import AuthContext, Case, HookContext, Response

from anonchat.testing.clients import Reply, Rest


class Scene:
    """A room and its moderator, both anew when a request has ended them."""

    def __init__(self, port: int) -> None:
        self._rest = Rest(port)
        self._room: dict[str, Any] = {}
        self._given: set[str] = set()
        self._token = ""

    @property
    def room_id(self) -> str:
        """The room of the last token."""
        return str(self._room["roomId"])

    def token(self) -> str:
        """The moderator's header `Authorization`."""
        if self._token:
            return self._token
        joined = self._join() if self._room else None
        if joined is None or joined.status != 201:
            self._room = self._rest.call("POST", "/api/rooms", {"title": "Room"}).body
            joined = self._join()
        self._token = f"Bearer {joined.body['sessionToken']}"
        self._given.add(self._token)
        return self._token

    def renew(self) -> None:
        """The session or its room may have been ended."""
        self._token = ""

    def has_given(self, token: str | None) -> bool:
        """Whether a token was one of its session's; it may have been ended since."""
        return token in self._given

    def _join(self) -> Reply:
        who = {"moderatorToken": self._room["moderatorToken"], "username": "Maud", "deviceId": "the device of Maud"}
        return self._rest.call("POST", f"/api/rooms/{self.room_id}/join", who)


SCENE = Scene(int(os.environ["ANONCHAT_PORT"]))


@schemathesis.auth(refresh_interval=None)
class Asking:
    """The operator where OpenAPI wants him, else a moderator of the room."""

    def get(self, case: Case[Any], _: AuthContext) -> str:
        security = case.operation.definition.raw.get("security", ())
        return f"Bearer {os.environ['ANONCHAT_OPERATOR']}" if {"operator": []} in security else SCENE.token()

    def set(self, case: Case[Any], token: str, _: AuthContext) -> None:
        case.headers["Authorization"] = token


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    """Requests that are to be accepted are about a room that there is, and come from a session that still is."""
    if SCENE.has_given(case.headers.get("Authorization")):
        case.headers["Authorization"] = SCENE.token()
    if "roomId" in case.path_parameters and case.meta is not None and case.meta.generation.mode.is_positive:
        case.path_parameters["roomId"] = SCENE.room_id


@schemathesis.hook
def after_call(_: HookContext, case: Case[Any], __: Response) -> None:
    """What ends a session or a room, or keeps people out of it."""
    if case.path.endswith(("/leave", "/end", "/close", "/panic")):
        SCENE.renew()

"""A server whose only plugin is moderation, with a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock

Moderated = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def moderated(tmp_path: Path, clock: SettableClock) -> Moderated:
    """Starts a server; its arguments are those of ``[plugins.moderation]``."""

    @asynccontextmanager
    async def start(**options: Any) -> AsyncIterator[Server]:
        plugins = {"enabled": ("moderation",), "options": {"moderation": options}}
        async with running_server(settings_in(tmp_path, plugins=plugins), clock) as server:
            yield server

    return start

"""Every competitor and every scenario, by name."""

from __future__ import annotations

from collections.abc import Mapping

from anonchat.plugins.registry import bundled
from benchmarks.competitors.base import Competitor
from benchmarks.competitors.express import Express
from benchmarks.competitors.in_memory import PLAIN, SOCKETIO, Floor, NodeChat, PythonChat
from benchmarks.competitors.own import Anonchat
from benchmarks.scenarios.arrivals import joins, storm
from benchmarks.scenarios.base import Scale, Scenario
from benchmarks.scenarios.growth import growth
from benchmarks.scenarios.history import history
from benchmarks.scenarios.idle import idle
from benchmarks.scenarios.start import start
from benchmarks.scenarios.traffic import large_rooms, settings, small_rooms, steady

ADD_ONS = "native add-ons bufferutil and utf-8-validate, no compression"
TUNED = "documentation: socket.io/docs/v4/performance-tuning"
WITHOUT_ADD_ONS = {"WS_NO_BUFFER_UTIL": "1", "WS_NO_UTF_8_VALIDATE": "1"}


def competitors() -> Mapping[str, Competitor]:
    """All of them, in the order of the tables."""
    every: tuple[Competitor, ...] = (
        Anonchat("anonchat", "anonchat, all plugins", bundled()),
        Anonchat("anonchat-core", "anonchat, no plugins", ()),
        NodeChat(
            *("socketio.js", "socket.io", "socketio", "Socket.IO on Node"),
            f"transport websocket only, {ADD_ONS}, first request dropped, NODE_ENV=production ({TUNED})",
            SOCKETIO,
        ),
        NodeChat(
            *("ws.js", "ws", "ws", "ws on Node"),
            f"{ADD_ONS}, no client tracking, each message serialised once, NODE_ENV=production",
            PLAIN,
        ),
        PythonChat(
            *("socketio_chat.py", ("python-socketio", "tornado", "uvloop"), "python-socketio", "python-socketio"),
            "on Tornado and uvloop, transport websocket only, no delay, no compression, orjson",
            SOCKETIO,
        ),
        PythonChat(
            *("tornado_chat.py", ("tornado", "uvloop"), "tornado", "Tornado"),
            "write_message in a loop, on uvloop, no delay, no compression, each message serialised once by orjson",
            PLAIN,
        ),
        Express(),
        NodeChat(
            *("socketio.js", "socket.io", "socketio-no-add-ons", "Socket.IO, no add-ons"),
            "as above, without the native add-ons",
            SOCKETIO,
            **WITHOUT_ADD_ONS,
        ),
        NodeChat(
            *("socketio.js", "socket.io", "socketio-defaults", "Socket.IO, defaults"),
            "new Server(server) and nothing else, without the native add-ons",
            SOCKETIO,
            CHAT_DEFAULTS="1",
            **WITHOUT_ADD_ONS,
        ),
        Floor("floor", "floor (C)", "epoll, one send to each receiver and turn"),
    )
    return {competitor.name: competitor for competitor in every}


def scenarios(scale: Scale) -> Mapping[str, Scenario]:
    """All of them, in the order of the tables."""
    every: tuple[Scenario, ...] = (
        *large_rooms(scale),
        *small_rooms(scale),
        *(steady(scale), idle(scale), joins(scale), storm(scale), history(scale), start()),
        *growth(scale),
        settings(scale),
    )
    return {scenario.name: scenario for scenario in every}

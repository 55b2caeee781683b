"""Whatever happens to connections and servers, a client's state equals that of a client that has just come (D2 to D4).

Hypothesis mixes sends, edits, deletions, joins, leaves, dead and sleeping connections, lost publications and
``kill -9``. ``HYPOTHESIS_PROFILE=soak`` runs for long, with other examples each time.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from .life import ENVIRONMENT, HERE, Caught, Life, broken_server, live, lives

FEW = lives(examples=12, steps=25)
CARETAKEN = ENVIRONMENT | {
    "ANONCHAT_PLUGINS__PLUGINS_DIR": str(HERE / "plugins"),
    "ANONCHAT_PLUGINS__ENABLED": '["caretaker"]',
}


class CaretakenLife(Life):
    """A life in a room whose title changes, and that closes and opens again."""

    @rule(who=st.integers(0, 99), act=st.sampled_from(["rename", "close", "reopen"]))
    def change_room(self, who: int, act: str) -> None:
        data = {"title": f"Room {who}"} if act == "rename" else {}
        answer = self.runner.run(self.members[who % len(self.members)].ask(f"caretaker.{act}", data))
        assert answer["event"] == "caretaker.done", answer
        self.is_closed = {"rename": self.is_closed, "close": True, "reopen": False}[act]


def test_every_client_sees_what_a_fresh_one_sees(tmp_path: Path) -> None:
    with broken_server(tmp_path, CARETAKEN, "lost_publications", "0.2") as server:
        live(partial(CaretakenLife, server), FEW)
        assert "Traceback" not in server.log


def test_a_skipped_replay_is_caught(tmp_path: Path) -> None:
    """The control: a server that leaves out one replayed event does not get past the same machine."""
    with broken_server(tmp_path, CARETAKEN, "skipped_replay") as server, pytest.raises(Caught):
        run_state_machine_as_test(partial(CaretakenLife, server, Caught), settings=FEW)  # type: ignore[arg-type]

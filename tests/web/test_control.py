"""The tests of the web client are tests: each names a line without which it fails, and that line is there."""

from __future__ import annotations

import pytest

from .sabotage import sabotages


def test_every_line_that_is_to_be_broken_is_there(request: pytest.FixtureRequest) -> None:
    named = [(item.name, one) for item in request.session.items for one in sabotages(item)]
    assert [(name, one.name, one.old) for name, one in named if not one.is_possible] == []


def test_every_test_in_the_browser_names_a_line(request: pytest.FixtureRequest) -> None:
    browsing = [item for item in request.session.items if "visit" in getattr(item, "fixturenames", ())]
    own = [item for item in browsing if item.get_closest_marker("pictures") is None]
    assert {item.name for item in own if not list(sabotages(item))} == set()

"""The operator's page: there behind a token only, with numbers and charts, and no way into a room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from anonchat.testing.clients import Rest

if TYPE_CHECKING:
    from tests.web.conftest import Live, Visit

TOKEN = "the-operator-and-nobody-else"


@pytest.mark.server(server={"port": 0, "operator_token": TOKEN})
@pytest.mark.sabotage("admin/rooms.mjs", "page.rooms;", "[];")
def test_numbers_and_charts_are_shown_to_who_has_the_token(live: Live, visit: Visit) -> None:
    room = live.room("Secret matters", retentionSeconds=3_600)
    live.room("Open house", isPublic=True)
    ann, operator = visit(), visit()
    ann.join(room.link(), "Ann")
    ann.say("hello")
    ann.sees("hello")
    operator.page.goto(f"{live.url}/admin")
    operator.page.get_by_label("Operator token").fill("wrong")
    operator.page.keyboard.press("Enter")
    expect(operator.page.get_by_role("alert")).to_contain_text("Only the operator may do that")
    operator.has_no_barrier()
    operator.page.get_by_label("Operator token").fill(TOKEN)
    operator.page.keyboard.press("Enter")
    tile = operator.page.locator(".tile").filter(has_text="Connections")
    expect(tile).to_contain_text("1")
    expect(operator.page.locator(".chart canvas")).to_have_count(6)
    expect(operator.page.locator(".states")).to_contain_text("running")
    expect(operator.page.locator(".tile").filter(has_text="Megabytes")).to_contain_text("0.")
    row = operator.page.locator("tbody tr")
    expect(row).to_have_count(2)
    for told in ("Not public", "1 of 100 people", "1 message", "1 hour"):
        expect(row.last).to_contain_text(told)
    expect(row.first).to_contain_text("Open house")
    assert "hello" not in operator.page.inner_text("body")
    assert "Secret matters" not in operator.page.inner_text("body")
    operator.has_no_barrier()
    operator.page.get_by_role("button", name="Forget the token").click()
    assert operator.page.evaluate("Object.keys(sessionStorage).filter((key) => key.includes('operator'))") == []


@pytest.mark.server(server={"port": 0, "operator_token": TOKEN})
@pytest.mark.sabotage("browser/drawers.mjs", '"editing", "read", "token"', '"editing", "read"')
def test_the_token_stays_in_the_tab_whatever_else_is_kept_on_the_device(live: Live, visit: Visit) -> None:
    operator = visit()
    operator.join(live.room().link(), "Olga")
    operator.page.get_by_role("button", name="Settings").click()
    operator.page.get_by_label("Keep on this device").check()
    operator.page.goto(f"{live.url}/admin")
    operator.page.get_by_label("Operator token").fill(TOKEN)
    operator.page.keyboard.press("Enter")
    expect(operator.page.locator(".states")).to_contain_text("running")
    assert TOKEN in operator.page.evaluate("JSON.stringify(sessionStorage)")
    assert TOKEN not in operator.page.evaluate("JSON.stringify(localStorage)")


@pytest.mark.server(server={"port": 0, "operator_token": TOKEN})
@pytest.mark.sabotage("analytics/anonchat_analytics/static/analytics.mjs", "PEAKS.has(metric)", "false")
def test_a_chart_tells_the_largest_peak_and_the_sum_of_all_else(live: Live, visit: Visit) -> None:
    points = [{"start": f"2026-11-20T{hour}:00:00Z", "value": value} for hour, value in ((19, 10), (20, 30), (21, 20))]
    operator = visit()
    operator.page.route("**/api/analytics/series?*", lambda route: route.fulfill(json={"points": points}))
    operator.page.goto(f"{live.url}/admin")
    operator.page.get_by_label("Operator token").fill(TOKEN)
    operator.page.keyboard.press("Enter")
    for name, told in (("Most people at once", "about 30"), ("Messages", "about 60")):
        caption = operator.page.locator(".chart figcaption").filter(has_text=name)
        expect(caption).to_have_text(f"{name} {told}")


def test_without_a_token_there_is_no_such_page(live: Live) -> None:
    assert Rest(live.server.port).call("GET", "/admin").status == 404

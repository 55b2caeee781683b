"""Many messages, and a first visit on a slow machine: point 20, and what the page weighs.

What is measured is printed (``pytest -rP``); what is asserted holds on a busy machine, too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, CDPSession, expect

if TYPE_CHECKING:
    from .conftest import Live, Room
    from .visitors import Visit, Visitor

MESSAGES = 10_000
LOT = 500
SCROLLED = 12_000  # px
SPEED = 3_000  # px in a second
IN_THE_PAGE = 120  # messages
HEAP_BYTES = 80_000_000
NODES = 12_000
LONGEST_TASK_MS = 500
FIRST_LOAD_BYTES = 100_000
BUSY_SECONDS = 2

# Writes down when there was a frame, and how many messages were in the page then.
WRITE_DOWN = """() => { window.frames = []; window.most = 0;
    const step = (now) => {
        window.frames.push(now);
        window.most = Math.max(window.most, document.querySelectorAll(".list article").length);
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step); }"""
# Of the frames since it was asked last: how many in a second, and the longest time without one.
TELL = """() => { const all = window.frames.splice(0);
    const pauses = all.slice(1).map((one, index) => one - all[index]);
    return [Math.round(pauses.length / (all.at(-1) - all[0]) * 1000), Math.round(Math.max(...pauses))]; }"""


def fill(live: Live, room: Room) -> str:
    """Ten thousand messages; the id of the first."""

    async def talk() -> str:
        async with room.opened.enter("Talker", moderator=True) as talker:
            first = await talker.say("message 0")
            for lot in range(1, MESSAGES, LOT):
                numbers = range(lot, min(lot + LOT, MESSAGES))
                sent = [{"text": f"message {index}", "clientMsgId": f"c{index}"} for index in numbers]
                ids = [await talker.send("send_message", data) for data in sent]
                await talker.answer(ids[-1])
            return str(first.data["serverMessageId"])

    return live.run(talk(), 90)


async def say(room: Room, text: str) -> None:
    async with room.opened.enter("Late") as late:
        await late.say(text)


@pytest.mark.timeout(240)
@pytest.mark.sabotage("view/conversation.mjs", "const SIZE = 120;", "const SIZE = 100_000;")
def test_20_ten_thousand_messages_scroll_smoothly_in_bounded_memory(live: Live, visit: Visit, browser: Browser) -> None:
    room = live.room()
    first = fill(live, room)
    ann = visit()
    ann.join(room.link(), "Ann")
    ann.sees(f"message {MESSAGES - 1}")
    chrome = ann.context.new_cdp_session(ann.page)
    chrome.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _memory(chrome)
    ann.page.goto(f"{live.url}/r/{room.id}#message={first}")  # which reads all that has been said
    expect(ann.page.locator(f'[data-key="{first}"]')).to_be_focused(timeout=60_000)
    expect(ann.page.locator(".older")).to_have_count(0)
    ann.page.evaluate(WRITE_DOWN)
    _waits(ann, "window.frames.length > 60")
    idle, _ = ann.page.evaluate(TELL)
    browser.start_tracing(page=ann.page, categories=["toplevel"])
    for direction in (-1, 1):
        gesture = {"x": 400, "y": 300, "yDistance": direction * SCROLLED, "speed": SPEED, "preventFling": True}
        busy = _busy(chrome)
        ann.page.evaluate(TELL)
        chrome.send("Input.synthesizeScrollGesture", gesture)
        frames, longest = ann.page.evaluate(TELL)
        share = (_busy(chrome) - busy) / (SCROLLED / SPEED)
        way = "down" if direction < 0 else "up"
        print(f"{way}: {frames} frames a second, at rest {idle}; longest {longest} ms; {share:.0%} of a processor")
    longest_task = _longest_task(browser.stop_tracing())
    most = ann.page.evaluate("window.most")
    after = _memory(chrome)
    print(f"tasks of up to {longest_task:.0f} ms of a processor")
    print(f"heap {before[0]} -> {after[0]} bytes; nodes {before[1]} -> {after[1]}")
    live.run(say(room, "one more than a page has room for"))
    # A slow page is behind the gesture, which ends somewhere on the way then.
    _waits(ann, "(document.querySelector('.list').scrollTop = 0) === 0 && document.querySelector('.older') !== null")
    expect(ann.page.locator(".older")).to_have_text("This page reads no further back.")
    assert most <= IN_THE_PAGE
    assert longest_task < LONGEST_TASK_MS
    assert after[0] < HEAP_BYTES
    assert after[1] < NODES


def _waits(visitor: Visitor, condition: str) -> None:
    """Until something holds on the page; Playwright's own way to wait is one that the policy of the pages forbids."""
    look = f"const look = () => ({condition} ? go() : setTimeout(look, 20)); look();"
    visitor.page.evaluate(f"() => new Promise((go) => {{ {look} }})")


def _busy(chrome: CDPSession) -> float:
    """Seconds for which the page has had a processor."""
    metrics: Any = chrome.send("Performance.getMetrics")
    return float(next(one["value"] for one in metrics["metrics"] if one["name"] == "TaskDuration"))


def _longest_task(trace: bytes) -> float:
    """Milliseconds of a processor that the longest task of a page has had: what else runs on the machine is not in it."""
    tasks = [event for event in json.loads(trace)["traceEvents"] if event["name"] == "ThreadControllerImpl::RunTask"]
    return max(float(task["tdur"]) for task in tasks if "tdur" in task) / 1_000


def _memory(chrome: CDPSession) -> tuple[int, int]:
    """Bytes of the heap and nodes of the page, without what is garbage."""
    chrome.send("HeapProfiler.collectGarbage")
    heap: Any = chrome.send("Runtime.getHeapUsage")
    nodes: Any = chrome.send("Memory.getDOMCounters")
    return round(heap["usedSize"]), nodes["nodes"]


@pytest.mark.parametrize("path", ["/", "/r/"])
@pytest.mark.sabotage("view/app.mjs", "import { html,", 'import "../stay.mjs";\nimport { html,')
def test_a_first_visit_is_light_and_quick_on_a_slow_machine(live: Live, visit: Visit, path: str) -> None:
    room = live.room()
    url, field = (live.url, "input[name=title]") if path == "/" else (room.link(), "input[name=name]")
    ann = visit()
    chrome = ann.context.new_cdp_session(ann.page)
    chrome.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    chrome.send("Performance.enable", {"timeDomain": "threadTicks"})
    # Interactive is a page whose field can be written into, and which answers at once from then on.
    ann.page.add_init_script(
        f"""new MutationObserver((_, observer) => {{ if (document.querySelector("{field}") === null) return;
            observer.disconnect();
            requestAnimationFrame(() => setTimeout(() => (window.ready = performance.now()))); }})
            .observe(document, {{ childList: true, subtree: true }})"""
    )
    ann.page.goto(url)
    _waits(ann, "window.ready")
    size, ready = ann.page.evaluate(
        """() => { const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
            const first = all.filter(({ startTime }) => startTime <= window.ready);
            return [first.reduce((sum, { transferSize }) => sum + transferSize, 0), Math.round(window.ready)]; }"""
    )
    busy = _busy(chrome)
    print(f"{path}: {size} bytes, interactive after {ready} ms, {busy:.2f} s of a processor")
    assert size < FIRST_LOAD_BYTES
    assert busy < BUSY_SECONDS

"""Draw the icons of the web client that some systems want as pictures, from `icon.svg`, with Chromium:

python tools/draw_icons.py
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

STATIC = Path(__file__).parent.parent / "anonchat" / "web" / "static"
# File -> pixels, and how much of the picture the drawing fills: systems cut masked ones to a shape of their own, and
# promise to leave a circle of four fifths (https://www.w3.org/TR/appmanifest/#icon-masks).
ICONS = {
    "icon-180.png": (180, 1.0),
    "icon-192.png": (192, 1.0),
    "icon-512.png": (512, 1.0),
    "icon-512-maskable.png": (512, 0.8),
}
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def page_of(drawing: str, pixels: int, part: float) -> str:
    """A page that shows the drawing; what lies around it has its colour."""
    found = re.search(r'<rect[^>]*fill="(#\w+)"', drawing)
    assert found is not None
    around = found[1] if part < 1 else "transparent"
    edge = pixels * (1 - part) / 2
    body = f"margin: 0; padding: {edge}px; background: {around}"
    return f"<!doctype html><body style='{body}'><style>svg {{ display: block; width: {pixels * part}px }}</style>{drawing}"


def main() -> None:
    """Write all of them."""
    drawing = (STATIC / "icon.svg").read_text(encoding="utf-8")
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, (pixels, part) in ICONS.items():
            page = browser.new_page(viewport={"width": pixels, "height": pixels})
            page.set_content(page_of(drawing, pixels, part))
            page.screenshot(path=STATIC / name, omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()

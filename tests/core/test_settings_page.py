"""The page of all settings says what the program says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    tool = ROOT / "tools" / "make_settings_page.py"
    made = subprocess.run([sys.executable, tool], capture_output=True, text=True, timeout=30, check=True).stdout
    page = ROOT / "docs" / "configuration.md"
    assert page.read_text("utf-8") == made, "run: python tools/make_settings_page.py > docs/configuration.md"

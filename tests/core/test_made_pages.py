"""The pages that are made say what the program says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("tool", "page"),
    [
        ("make_settings_page.py", "configuration.md"),
        ("make_reference_page.py", "plugin-reference.md"),
        ("make_metrics_page.py", "metrics.md"),
    ],
)
def test_the_page_is_up_to_date(tool: str, page: str) -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / tool], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert (ROOT / "docs" / page).read_text("utf-8") == made, f"run: python tools/{tool} > docs/{page}"

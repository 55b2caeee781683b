"""Builds the package by setuptools, which pip asks for by pyproject.toml, and leaves nothing behind.

Setuptools collects in build/lib, and what lies there from another version goes into the package: a checkout that was set
back to an older version would bring the newer one's migrations again.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

COLLECTED = Path("build", "lib")  # in the folder of the project, which is the working folder of a build


def build_wheel(*arguments: Any, **named: Any) -> str:
    """As setuptools does, but from what is in the folder now."""
    _forget()
    try:
        return build_meta.build_wheel(*arguments, **named)
    finally:
        _forget()


def _forget() -> None:
    if COLLECTED.exists():
        shutil.rmtree(COLLECTED)

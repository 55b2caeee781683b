"""anonchat: a self-hosted server for anonymous, short-lived chat rooms.

Plugins and storage backends import from here; the names are those of `anonchat.api`. They are loaded when the first of
them is used, so that a command that needs none starts at once.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anonchat.api import *  # noqa: F403

__version__ = version("anonchat")


def __getattr__(name: str) -> Any:
    """A public name (PEP 562)."""
    if not name.startswith("_") and name != "api":
        api = import_module("anonchat.api")
        if name in api.__all__:
            return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

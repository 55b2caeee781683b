"""Names for those who do not care how they are called."""

from __future__ import annotations

from random import Random, SystemRandom

FIRST = ("Amber", "Brave", "Calm", "Clever", "Eager", "Gentle", "Happy", "Kind", "Lucky", "Merry", "Mild", "Quick",
         "Quiet", "Silver", "Sunny", "Swift")  # fmt: skip
SECOND = ("Badger", "Crane", "Falcon", "Fox", "Heron", "Lynx", "Marten", "Otter", "Owl", "Panda", "Puffin", "Raven",
          "Robin", "Seal", "Swan", "Wren")  # fmt: skip


def suggest_name(random: Random | None = None) -> str:
    """One of 256 names, ``Quiet Otter``."""
    chosen = random or SystemRandom()
    return f"{chosen.choice(FIRST)} {chosen.choice(SECOND)}"

"""``python -m anonchat.testing.contracts.writing <url>``: writes rows and tells each after its commit, until killed."""

from __future__ import annotations

import asyncio
import itertools
import sys

from anonchat.testing.contracts.databases import opened, store


async def write(url: str) -> None:
    """Store 0, 1, 2 and so on, several at a time."""
    async with opened(url) as database:
        for first in itertools.count(0, 8):
            numbers = range(first, first + 8)
            await asyncio.gather(*(store(database, number) for number in numbers))
            sys.stdout.writelines(f"{number}\n" for number in numbers)
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1]))

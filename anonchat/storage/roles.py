"""The three roles of storage. A backend implements one and is chosen by the scheme of a URL.

Statements are SQLAlchemy Core constructs (never text), built once as module constants with `bindparam`, and compiled
once per dialect. A list is bound with `anonchat.one_of`. Rows answer to ``row["name"]`` and ``row[0]``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy.sql import ClauseElement

from anonchat.errors import ChatError
from anonchat.migrate.revisions import Migrations
from anonchat.storage.maintenance import Finding

T = TypeVar("T")
Parameters = Mapping[str, Any]

MANY_ROOMS = "*"  # in place of the id of a room, see `Database.transaction`


class Locked(ChatError):
    """`storage_unavailable`, because somebody else holds a row for too long: what needs another row may go on."""

    def __init__(self, *, retry_after_ms: int) -> None:
        super().__init__("storage_unavailable", retry_after_ms=retry_after_ms)


class Row(Protocol):
    """One row of an answer."""

    def __getitem__(self, key: Any, /) -> Any: ...

    def keys(self) -> Any: ...


class Reads(Protocol):
    """What can be asked, inside of a transaction or outside."""

    async def fetch_one(self, statement: ClauseElement, parameters: Parameters | None = None) -> Row | None:
        """One row, or None."""

    async def fetch_all(self, statement: ClauseElement, parameters: Parameters | None = None) -> Sequence[Row]:
        """All rows. Bound the statement with a limit."""


class Statements(Reads, Protocol):
    """What runs inside a transaction. Each call sees what the calls before it wrote."""

    async def execute(self, statement: ClauseElement, parameters: Parameters | None = None) -> int:
        """Run a writing statement; returns how many rows it touched."""

    async def execute_many(self, statement: ClauseElement, parameters: Sequence[Parameters]) -> None:
        """Run one statement for many sets of parameters. All sets have the same keys."""

    def is_to_blame(self, error: BaseException) -> bool:
        """Whether a statement raised this through no fault of its own: the storage is full, away, or has to begin anew."""


Work = Callable[[Statements], Awaitable[T]]


class Database(Protocol):
    """The truth. Answers only after what it wrote would survive a loss of power."""

    dialect: str

    async def start(self, migrations: Migrations) -> None:
        """Bring the tables up to date, then open. Raises `StartError` with a sentence for the operator."""

    async def close(self) -> None:
        """Finish what waits, then close."""

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot, without waiting for writers. `work` may await only its argument."""

    async def fetch_one(self, statement: ClauseElement, parameters: Parameters | None = None) -> Row | None:
        """`read` of one row, or None."""

    async def fetch_all(self, statement: ClauseElement, parameters: Parameters | None = None) -> Sequence[Row]:
        """`read` of all rows of one statement."""

    def transaction(
        self,
        work: Work[T],
        committed: Callable[[], None] | None = None,
        room: str | None = None,
        *,
        first: bool = False,
    ) -> Awaitable[T]:
        """Run `work` in a transaction of its own or, isolated by a savepoint, in one that it shares with others.

        `work` may await only its argument, and may be run again from the start when it lost a race. If it raises,
        what it wrote is undone and the error reaches the caller, alone. `committed` is called in the event loop once
        the commit is durable, after the callers of that commit have been woken, in the order of the commits (of those
        that name the same `room`), and also when the caller has stopped waiting; with `first` it may be called before
        they are. `room` names the only room that `work` changes, if it is one: a database that writes side by side then
        orders and shares commits by room. With `MANY_ROOMS` it has a turn beside all other work, for which it waits for
        nobody, and waits for rows that others hold no longer than a moment.
        Raises `ChatError` ``storage_full``, ``storage_unavailable`` (`Locked` if that is why) or ``overloaded``.
        """

    async def check(self) -> None:
        """Raise `ChatError` unless the database answers a read and accepts a write now."""

    async def size(self) -> int:
        """How many bytes it takes where it is stored."""

    async def erase(self) -> None:
        """Called after deletions: make what was deleted unreadable on the medium, as far as this backend can."""


class Bus(Protocol):
    """Carries events of rooms to the other nodes. May lose and reorder; never relied upon for the truth."""

    @property
    def shared(self) -> bool:
        """False while nobody else listens, so that nothing needs to be encoded for the others."""

    async def start(self, received: Callable[[str, bytes], None]) -> None:
        """Begin; `received` is called with (channel, payload) in the event loop for what *other* nodes publish."""

    async def close(self) -> None: ...

    async def subscribe(self, channel: str) -> None: ...

    async def unsubscribe(self, channel: str) -> None: ...

    def publish(self, channel: str, payload: bytes) -> None:
        """Send to the other nodes, in order, without waiting; what cannot be sent is counted and dropped."""

    async def check(self) -> None:
        """Raise `ChatError` unless this node hears what is published."""

    async def findings(self) -> Sequence[Finding]:
        """What ``anonchat doctor`` should know. Asked before `start`, in an event loop of its own; stores nothing that stays."""


class Part(Protocol):
    """What can be opened, closed and examined."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def check(self) -> None:
        """Raise `ChatError` unless it answers."""


class Ephemeral(Part, Protocol):
    """State that expires and may be lost at any time without logging anybody out.

    Methods raise `ChatError` ``storage_unavailable`` while it is away, in bounded time.
    """

    async def get(self, key: str) -> bytes | None: ...

    async def put(
        self,
        key: str,
        value: bytes,
        milliseconds: int,
        *,
        only_if_absent: bool = False,
        only_if: bytes | None = None,
    ) -> bool:
        """Store for a time, if nothing is there (`only_if_absent`) or if it holds `only_if`; answers whether it was stored."""

    async def remove(self, key: str, *, only_if: bytes | None = None) -> bool:
        """Remove, if it holds `only_if` where that is given; answers whether it was there."""

    async def hit(self, rate: str, key: str, cost: int = 1) -> int:
        """Count `cost` against `rate` (notation of the package ``limits``); 0 if allowed, else milliseconds to wait.

        Never raises: a node that can ask nobody counts by itself.
        """

    async def enter(self, group: str, members: Mapping[str, bytes], milliseconds: int) -> None:
        """Put members, each with a value, into a group for a time."""

    async def leave(self, group: str, members: Collection[str]) -> None:
        """Take members out of a group."""

    async def members(self, group: str) -> Mapping[str, bytes]:
        """Who is in a group."""

    async def findings(self) -> Sequence[Finding]:
        """What ``anonchat doctor`` should know. Asked before `start`, in an event loop of its own; stores nothing that stays."""

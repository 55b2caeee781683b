"""What a failure of Postgres means for whoever waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import structlog

from anonchat import ChatError, Locked

log = structlog.get_logger("anonchat.postgres")

RETRY_MILLISECONDS = 2_000


class Unanswered(Exception):
    """The server cannot be reached, or does not answer in time."""


@contextmanager
def answered() -> Iterator[None]:
    """Tells what the system says of a connection (`Unanswered`) from an `OSError` or a timeout that work itself raises."""
    try:
        yield
    except OSError as error:  # also TimeoutError
        raise Unanswered from error


# Another transaction was faster; this one has been undone, and may be run again.
RACES = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# The server, the way to it, or a lock that was waited for long enough: the work is not to blame.
UNAVAILABLE = (
    *RACES,
    Unanswered,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InternalClientError,
    asyncpg.InternalServerError,
)


def is_unavailable(error: BaseException) -> bool:
    """Whether nothing more can be done in this transaction, whatever its work is."""
    return isinstance(error, UNAVAILABLE) and not isinstance(error, asyncpg.DataError | asyncpg.DiskFullError)


class RunAgain(Exception):
    """Nothing of the transaction stands, for sure, and through no fault of its work: it may be run again."""


def is_lost(connection: asyncpg.Connection[asyncpg.Record], error: BaseException | None) -> bool:
    """Whether a connection is gone, after a failure on it.

    asyncpg learns of it step by step: from a refused write, from the end of the stream, by its pool.
    """
    if isinstance(error, asyncpg.PostgresConnectionError | asyncpg.AdminShutdownError | asyncpg.InternalClientError):
        return True
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken it back
        return True


def told(error: BaseException) -> BaseException:
    """What the caller is told: a coded error for what the database did, and mistakes of the program as they are."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return _coded("conflict", error)
    if isinstance(error, asyncpg.CharacterNotInRepertoireError):
        return ChatError("validation_failed", "The NUL character cannot be stored.")
    if isinstance(error, asyncpg.DiskFullError):
        _report(error)
        return _coded("storage_full", error)
    if isinstance(error, asyncpg.LockNotAvailableError):
        _report(error)
        answer = Locked(retry_after_ms=RETRY_MILLISECONDS)
        answer.__cause__ = error
        return answer
    if is_unavailable(error):
        _report(error)
        return _coded("storage_unavailable", error)
    return error


def _coded(code: str, error: BaseException) -> ChatError:
    answer = ChatError(code, retry_after_ms=None if code == "conflict" else RETRY_MILLISECONDS)
    answer.__cause__ = error
    return answer


def _report(error: BaseException) -> None:
    """Kind and code alone: Postgres repeats values in its texts."""
    log.error("postgres failed", kind=type(error).__name__, sqlstate=getattr(error, "sqlstate", None))

"""One transaction for all that waits, each piece of work isolated from the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg

from anonchat import PendingWork
from anonchat_postgres.failures import RACES, RunAgain, is_lost, is_unavailable, told
from anonchat_postgres.statements import Compilers, PostgresStatements


async def commit(
    connection: asyncpg.Connection[asyncpg.Record],
    batch: Sequence[PendingWork],
    compilers: Compilers,
    begin: str = "BEGIN",
) -> list[PendingWork]:
    """Run a batch in one transaction, and answer what of it is durable now.

    Each piece has a savepoint, unless it is alone. Raises `RunAgain`, or what else ended the whole transaction.
    """
    statements = PostgresStatements(connection, compilers)
    alone = len(batch) == 1
    durable: list[PendingWork] = []
    try:
        await statements.command(begin if alone else f"{begin}; SAVEPOINT piece")
        for pending in batch:
            try:
                pending.outcome = await pending.work(statements)
                if not alone:
                    await statements.command("RELEASE SAVEPOINT piece; SAVEPOINT piece")
            except BaseException as error:
                if is_unavailable(error) or _is_cancelled(error):
                    raise
                await statements.command("ROLLBACK" if alone else "ROLLBACK TO SAVEPOINT piece")
                pending.outcome = told(error)
            else:
                durable.append(pending)
    except Exception as error:
        if isinstance(error, RACES) or is_lost(connection, error):
            raise RunAgain from error
        raise
    if (durable or not alone) and await statements.command("COMMIT") != "COMMIT":
        # The work has swallowed an error of one of its statements, after which Postgres keeps nothing.
        raise asyncpg.InFailedSQLTransactionError("a failed statement was passed over")
    return durable


def _is_cancelled(error: BaseException) -> bool:
    """Whether somebody cancels this task; a cancellation out of the work that nobody asked for is a failure of it."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0

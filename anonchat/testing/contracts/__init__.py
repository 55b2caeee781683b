"""What every backend has to keep, as classes of tests for authors of backends.

Subclass them in a test module, say what the backend's URL is, and run pytest::

    class TestMyDatabase(DatabaseContract):
        def url(self, folder: Path) -> str:
            return f"mydatabase:///{folder / 'contract.db'}"

The backend is found as a server finds it, by its entry point in the group ``anonchat.storage``.
"""

from anonchat.testing.contracts.bus import BusContract, SharedBusContract
from anonchat.testing.contracts.commits import CommitContract
from anonchat.testing.contracts.ephemeral import EphemeralContract, RateContract
from anonchat.testing.contracts.failures import FailureContract
from anonchat.testing.contracts.transactions import TransactionContract

__all__ = [
    "BusContract",
    "CommitContract",
    "DatabaseContract",
    "EphemeralContract",
    "FailureContract",
    "RateContract",
    "SharedBusContract",
    "TransactionContract",
]


class DatabaseContract(TransactionContract, CommitContract, FailureContract):
    """All of `Database`."""

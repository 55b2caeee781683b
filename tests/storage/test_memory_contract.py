"""`anonchat_memory` keeps the contracts of a bus and of an ephemeral store."""

from __future__ import annotations

from pathlib import Path

from anonchat.testing.contracts import BusContract, EphemeralContract, RateContract


class TestBus(BusContract):
    def url(self, folder: Path) -> str:
        return "memory://"


class TestEphemeral(EphemeralContract, RateContract):
    def url(self, folder: Path) -> str:
        return "memory://"

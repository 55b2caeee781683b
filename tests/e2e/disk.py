"""The disk of a server in a test: what is on it after a loss of power, and one that fails, is full or slow."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

SOURCE = Path(__file__).with_name("disk.c")
SECTOR = 512  # bytes; a disk writes one wholly or not at all

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="the disk between needs Linux and a C compiler"
)


@dataclass(frozen=True)
class Disk:
    """Between a server and the database in `folder`. `log` grows with everything that is done to it, if it `keeps_log`."""

    folder: Path
    keeps_log: bool = False

    @property
    def log(self) -> Path:
        return self.folder / "disk.log"

    def environment(self) -> dict[str, str]:
        """Variables of a server whose files are on this disk."""
        library = self.folder / "disk.so"
        if not library.exists():
            build = [
                "cc",
                "-shared",
                "-fPIC",
                "-O1",
                "-Wall",
                "-Werror",
                "-o",
                str(library),
                str(SOURCE),
                "-ldl",
                "-lpthread",
            ]
            subprocess.run(build, check=True)
        files = {"DISK_FILES": self.folder / "anonchat.db", "DISK_FAULT": self.folder / "disk.fault"}
        files |= {"DISK_LOG": self.log} if self.keeps_log else {}
        return {"LD_PRELOAD": str(library)} | {name: str(path) for name, path in files.items()}

    def become(self, fault: str = "") -> None:
        """``"w 28 0"``: writes fail with that error; ``"s 0 500"``: syncs take half a second; ``""``: all is well."""
        fresh = self.folder / "disk.fault.new"
        fresh.write_text(fault)
        fresh.replace(self.folder / "disk.fault")  # at once, so that nobody reads half of it


@dataclass(frozen=True)
class Act:
    """One line of the log; `end` is how long the log was after it."""

    kind: str
    offset: int
    path: str
    data: bytes
    end: int


def acts_in(log: Path) -> Iterator[Act]:
    """Everything that was done, in order."""
    raw, place = log.read_bytes(), 0
    while place < len(raw):
        line = raw.index(b"\n", place)
        kind, offset, length, path = raw[place:line].split(b" ", 3)
        place = line + 1 + int(length)
        yield Act(kind.decode(), int(offset), path.decode(), raw[line + 1 : place], place)


@dataclass
class Platter:
    """What is certainly on the disk, and what may be: all that was not synced since."""

    files: dict[str, bytearray] = field(default_factory=dict)
    loose: list[Act] = field(default_factory=list)

    def take(self, act: Act) -> None:
        """A sync makes the changes of its file certain, that of the folder what was unlinked in it."""
        if act.kind != "s":
            self.loose.append(act)
            return
        loose, self.loose = self.loose, []
        for one in loose:
            if one.path == act.path or _is_unlinked_in(act.path, one):
                _apply(self.files, one)
            else:
                self.loose.append(one)

    def after_power_loss(self, chance: Random) -> dict[str, bytearray]:
        """The files as they may be found: of what was not synced nothing, everything, or some, and of that only sectors."""
        found = {path: bytearray(content) for path, content in self.files.items()}
        share = chance.choice([0.0, 0.5, 0.9, 1.0])
        for act in self.loose:
            if chance.random() < share:
                for piece in _torn(act, chance) if share < 1 else [act]:
                    _apply(found, piece)
        return found


def _is_unlinked_in(folder: str, act: Act) -> bool:
    return act.kind == "u" and str(Path(act.path).parent) == folder


def _torn(act: Act, chance: Random) -> Iterator[Act]:
    """Half of what is kept is kept wholly, of the other half any sectors."""
    if act.kind != "w" or chance.random() < 0.5:
        yield act
        return
    for start in range(0, len(act.data), SECTOR):
        if chance.random() < 0.5:
            yield Act("w", act.offset + start, act.path, act.data[start : start + SECTOR], act.end)


def _apply(files: dict[str, bytearray], act: Act) -> None:
    if act.kind == "u":
        files.pop(act.path, None)
        return
    content = files.setdefault(act.path, bytearray())
    length = act.offset if act.kind == "t" else max(len(content), act.offset + len(act.data))
    content.extend(bytes(max(length - len(content), 0)))
    if act.kind == "t":
        del content[act.offset :]
    else:
        content[act.offset : act.offset + len(act.data)] = act.data

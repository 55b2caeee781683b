"""A new revision file for an author to fill in."""

import re
import unicodedata
from pathlib import Path

from anonchat.migrate.revisions import MigrationError, MigrationSet, revision_files

_TEMPLATE = '''"""{message}"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {previous}


def upgrade() -> None:
    """Runs in one transaction with every other pending step: never commit here."""


def downgrade() -> None:
    """The exact reverse; delete this function when there is none."""
'''


def new_revision(revisions: MigrationSet, message: str) -> Path:
    """Write the next revision file of an owner and return its path, such as `0002_add_colour.py`.

    The folder is made when it is missing; an existing file is never touched. Raises `MigrationError` when the message
    holds no letter or digit to name a file by, or when the folder cannot be written.
    """
    try:
        revisions.folder.mkdir(parents=True, exist_ok=True)
        number = len(revision_files(revisions)) + 1
        path = revisions.folder / f"{number:04}_{_slug(message)}.py"
        with path.open("x", encoding="utf-8") as file:
            file.write(_content(revisions, number, message))
    except OSError as error:
        raise MigrationError(f"The revision cannot be written: {error}.") from error
    return path


def _slug(message: str) -> str:
    plain = unicodedata.normalize("NFKD", message).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:40].rstrip("_")
    if not slug:
        raise MigrationError(f"The message {message!r} cannot name a file: say in a few words what the revision does.")
    return slug


def _content(revisions: MigrationSet, number: int, message: str) -> str:
    sentence = " ".join(message.split()).rstrip(".") + "."
    return _TEMPLATE.format(
        message=sentence.replace("\\", "\\\\").replace('"', '\\"'),
        revision=revisions.revision(number),
        previous=f'"{revisions.revision(number - 1)}"' if number > 1 else None,
    )

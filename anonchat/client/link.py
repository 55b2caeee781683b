"""The link that opens a room: ``https://chat.example.org/r/<roomId>#<token>``."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from anonchat.client.errors import LinkError


@dataclass(frozen=True, slots=True)
class Link:
    """Where a room is, and the secret that lets one in: an invite's token or the moderator's."""

    base_url: str
    room_id: str
    token: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Link:
        """Read a link as people copy it. Raises `LinkError` with a sentence that says what is wrong."""
        try:
            parts = urlsplit(text.strip())
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise LinkError(f"This is not a web address: {error}.") from error
        if parts.scheme not in ("http", "https") or not host:
            raise LinkError("A link into a room begins with http:// or https://, then the server's name.")
        folder, found, room_id = parts.path.rstrip("/").rpartition("/r/")
        if not found or not room_id or "/" in room_id:
            raise LinkError("This address does not lead to a room; a link looks like https://server/r/room#secret.")
        if not parts.fragment:
            raise LinkError("The end of the link is missing: the secret after #. Copy all of it, and put it in quotes.")
        return cls(f"{parts.scheme}://{parts.netloc}{folder}", unquote(room_id), unquote(parts.fragment))

    def __str__(self) -> str:
        return f"{self.base_url}/r/{self.room_id}#{self.token}"

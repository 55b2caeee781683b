"""``/privacy``: what this server keeps and for how long, made from the running configuration."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from anonchat.config import Settings
from anonchat.http.layout import page_answer, span_text
from anonchat.plugins.declarations import Answer, Request, Route
from anonchat.plugins.dispatch import Dispatcher


class Privacy:
    """The page and its sentences."""

    def __init__(self, settings: Settings, plugins: tuple[str, ...], dispatcher: Dispatcher) -> None:
        self._settings = settings
        self._plugins = plugins
        self._dispatcher = dispatcher

    def routes(self) -> Sequence[Route]:
        """Where it is served."""
        return (Route("GET", "/privacy", self._page, summary="What this server keeps, for people"),)

    async def _page(self, _: Request) -> Answer:
        told = await self._dispatcher.enrich("extend_privacy", fits=_is_told)
        added = (sentence for sentences in told.values() for sentence in sentences.values())
        items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in (*self.sentences(), *added))
        body = f"<p class=lead>Made from the running configuration.</p><ul>{items}</ul>"
        return page_answer("What this server keeps", body)

    def sentences(self) -> list[str]:
        """One sentence for each thing that is kept, or is not."""
        rooms, sessions = self._settings.rooms, self._settings.sessions
        deleted = f"after {span_text(rooms.purge_grace_seconds)}" if rooms.purge_grace_seconds else "at once"
        erased = span_text(self._settings.retention.interval_seconds)
        contact = self._settings.server.contact
        return [
            *([f"This server is run by {contact}."] if contact else []),
            "No account, no address, no browser name and no device id is stored. Limits count keyed hashes of networks; "
            "the key changes every day and is never written down. They also count what your client calls its browser, "
            "outside the database and until the limit is over.",
            "A room keeps your messages for as long as its page says; without a choice "
            f"{span_text(rooms.default_retention_seconds)}.",
            f"An ephemeral room ends after {span_text(rooms.default_duration_seconds)} unless its creator chose otherwise. "
            + ("One that keeps its messages may have no end." if rooms.endless else "Every room ends."),
            f"When a room ends, everything in it is deleted {deleted}. What remains for "
            f"{span_text(self._settings.retention.reports_seconds)} is its id, when and why it ended, and how much was deleted.",
            f"Your name and place are kept for {span_text(sessions.name_hold_seconds)} after you have gone, your session for "
            f'{span_text(sessions.ttl_seconds)}. Leaving ends both at once; leaving with "forget" deletes what you wrote.',
            "With your session, hashes of the device and the browser are kept that your client named, under a key of that room: "
            "they give you your name back, and mean nothing in another room.",
            "What is deleted is shown to nobody from that moment. It is erased from the server's files by the next "
            f"run of retention, as a rule within {erased}; what is deleted with its room is erased right after.",
            "The server's log holds no address, name, text or secret.",
            f"Plugins that run here: {', '.join(self._plugins) or 'none'}.",
            "What other plugins kept before they were switched off stays until its room ends, even what was to go sooner, such "
            "as a ban; sums that tell of nobody stay for good.",
            _backups(self._settings.retention.backups_seconds),
        ]


def _backups(seconds: int | None) -> str:
    """How long backups may hold what is deleted, as far as the operator says."""
    if seconds == 0:
        return "The operator says that no backups are kept."
    if seconds is None:
        return (
            "Backups that the operator makes may hold what is deleted here until they are deleted themselves; "
            "how long that takes the operator has not said."
        )
    return f"Backups may hold what is deleted here; the operator says that each is deleted {span_text(seconds)} after it was made."


def _is_told(answer: Mapping[object, object]) -> bool:
    return all(isinstance(sentence, str) for sentence in answer.values())

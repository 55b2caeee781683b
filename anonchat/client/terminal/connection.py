"""What the screen says about the connection."""

from __future__ import annotations

from anonchat.client.events import ChatEvent, Closed, Connecting, Offline, Online
from anonchat.client.words.sentences import closing, unsent

BACK_SECONDS = 4.0


class ConnectionNews:
    """A word for the title bar and a sentence for the banner. Times are seconds of any clock that only grows."""

    def __init__(self) -> None:
        self.word = "connecting"
        self._sentence = ""
        self._until: float | None = None
        self._retry_at: float | None = None
        self._was_online = False

    def apply(self, event: ChatEvent, now: float, left: int = 0) -> None:
        """Take in what the chat says about its connection; `left` messages are not sent when it ends."""
        match event:
            case Connecting():
                self.word, self._retry_at = "connecting", None
                if self._was_online:
                    self._say("Connecting again: what you write waits here.")
            case Online(recovered, missed):
                self.word, self._retry_at = "online", None
                self._say(self._back(recovered, missed), now + BACK_SECONDS)
                self._was_online = True
            case Offline(retry_in, _):
                self.word, self._retry_at = "offline", now + retry_in
                self._say("No connection: what you write waits here.")
            case Closed():
                self.word, self._retry_at = "closed", None
                not_sent = f"{unsent(left)} " if left else ""
                self._say(f"{closing(event)} {not_sent}Press Ctrl+Q to close.")

    def banner(self, now: float) -> str:
        """What to show, or nothing."""
        if self._until is not None and now >= self._until:
            return ""
        if self._retry_at is not None:
            return f"{self._sentence} Trying again in {max(1, round(self._retry_at - now))} s."
        return self._sentence

    def _say(self, sentence: str, until: float | None = None) -> None:
        self._sentence, self._until = sentence, until

    def _back(self, recovered: bool, missed: int) -> str:
        if not self._was_online:
            return ""
        if not recovered:
            return "Back. Too much happened to tell all of it: these are the newest messages."
        return (
            f"Back, {missed} message{'' if missed == 1 else 's'} caught up." if missed else "Back, nothing was missed."
        )

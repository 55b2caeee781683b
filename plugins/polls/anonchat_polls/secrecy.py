"""The three kinds of secrecy: what each of them says of itself, and what it shows to whom. Said here and nowhere else."""

from __future__ import annotations

OPEN, HIDDEN, SECRET = KINDS = ("open", "hidden", "secret")

LEAST_SECRET = 5
"""Voters below which the result of a secret poll would say too much about each of them."""

_SENTENCES = {
    OPEN: "Open: everybody in the room sees who voted what.",
    HIDDEN: "Hidden: nobody in the room sees who voted what, and you see the totals once you have voted or the poll is "
    "closed; the server keeps who voted what until the poll is deleted; of who is forgotten the vote stays, as nobody's.",
    SECRET: "Secret: who voted what is stored nowhere, a vote is final, and the totals are shown at the close if at "
    "least {least} people have voted, else they are discarded.",
}


def sentence(secrecy: str, least: int) -> str:
    """The one plain sentence that stands on the card; `least` voters make the result of a secret poll count."""
    return _SENTENCES[secrecy].format(least=least)


def shows_names(secrecy: str) -> bool:
    """Whether everybody may know who voted what."""
    return secrecy == OPEN


def shows_voters(secrecy: str, *, closed: bool) -> bool:
    """Whether everybody may know how many have voted."""
    return secrecy != SECRET or closed


def shows_totals(secrecy: str, *, closed: bool, voted: bool) -> bool:
    """Whether somebody who has `voted`, or not, may know the totals; a moderator is nobody else."""
    return closed or secrecy == OPEN or (secrecy == HIDDEN and voted)

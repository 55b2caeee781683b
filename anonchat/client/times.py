"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def moment(iso: str) -> datetime:
    """A time of the wire in the reader's own time zone."""
    return datetime.fromisoformat(iso).astimezone()


def clock_time(iso: str) -> str:
    """``20:15``"""
    return moment(iso).strftime("%H:%M")


def when(iso: str) -> str:
    """``20:15`` if that is today, else with the day before it."""
    is_today = moment(iso).date() == datetime.now().astimezone().date()
    return clock_time(iso) if is_today else f"{day(iso)}, {clock_time(iso)}"


def day(iso: str) -> str:
    """``Friday, 20 November 2026``"""
    found = moment(iso)
    return f"{found:%A}, {found.day} {found:%B %Y}"


def duration(seconds: float) -> str:
    """At most two units: ``2 days 3 h``, ``1 h 5 min``, ``45 s``."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    if minutes:
        return f"{minutes} min" + (f" {rest} s" if rest and minutes < 5 else "")
    return f"{rest} s"


def remaining(expires_at: str | None, now: float) -> float | None:
    """Seconds until a time of the wire, seen from `now` (seconds since 1970, by the server's clock)."""
    return None if expires_at is None else max(0.0, datetime.fromisoformat(expires_at).timestamp() - now)


def later(iso: str, seconds: int | None) -> str | None:
    """A time of the wire that many seconds after another; None without seconds, or beyond all calendars."""
    if seconds is None:
        return None
    try:
        found = datetime.fromisoformat(iso).astimezone(UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")

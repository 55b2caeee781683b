"""The tables of acts on people: who is kept out, who is muted, what was reported, what was done.

Times are milliseconds. Marks (device, fingerprint, network) are hashes under the room's own key, as the core gives them.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table, Text, UniqueConstraint, text

metadata = MetaData()


def _room_key() -> Column[str]:
    return Column("room_id", Text, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False)


# Who is kept out, until when. `kind` is "kick" or "ban"; `by_rank` is the rank of who decided: nobody of that rank or a
# higher one is kept out by it, whatever marks they share with the person concerned.
bans = Table(
    "moderation_bans",
    metadata,
    Column("id", Text, primary_key=True),
    _room_key(),
    Column("kind", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("anonymous_id", Text, nullable=False),
    Column("device", Text),
    Column("fingerprint", Text),
    Column("network", Text),
    Column("reason", Text),
    Column("by_rank", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("moderation_bans_room", "room_id", "until"),
    Index("moderation_bans_session", "room_id", "session_id", "until"),
    Index("moderation_bans_device", "room_id", "device", "until"),
    Index("moderation_bans_until", "until"),
)

# One row for each person, who is known again by device and fingerprint; `network` is for those who give neither. `by_rank`
# is the rank of who decided, that of a participant for a rule: nobody of a lower one lifts it.
mutes = Table(
    "moderation_mutes",
    metadata,
    Column("id", Text, primary_key=True),
    _room_key(),
    Column("session_id", Text, nullable=False),
    Column("device", Text),
    Column("fingerprint", Text),
    Column("network", Text),
    Column("reason", Text),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("by_rank", Integer, nullable=False, server_default="0"),
    UniqueConstraint("room_id", "session_id", name="moderation_mutes_session"),
    Index("moderation_mutes_room", "room_id", "until"),
    Index("moderation_mutes_until", "until"),
)

# One row for each message and person who reports it; it goes with the message. `reporter` is what the person is known by,
# also after joining anew.
reports = Table(
    "moderation_reports",
    metadata,
    Column("id", Text, primary_key=True),
    _room_key(),
    Column("message_id", Text, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    Column("session_id", Text, nullable=False),
    Column("reporter", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("resolved_at", BigInteger),
    UniqueConstraint("message_id", "reporter", name="moderation_reports_once"),
    Index("moderation_reports_room", "room_id", "at"),
)

# What was done, by whom (None: a rule), to whom. `number` is above that of every older entry of the room, also where the
# clock was set back. `pending` names an entry that still counts acts of its kind; it is told to the room when that is
# over, and then None.
log = Table(
    "moderation_log",
    metadata,
    Column("id", Text, primary_key=True),
    _room_key(),
    Column("number", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("by_session", Text),
    Column("by_name", Text),
    Column("target_session", Text),
    Column("target_name", Text),
    Column("reason", Text),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("pending", Text),
    UniqueConstraint("room_id", "pending", name="moderation_log_pending"),
    Index("moderation_log_room", "room_id", "number"),
    Index("moderation_log_at", "at"),
    Index(
        "moderation_log_gathering",
        "at",
        sqlite_where=text("pending IS NOT NULL"),
        postgresql_where=text("pending IS NOT NULL"),
    ),
)

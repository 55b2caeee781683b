"""The public API for authors of plugins and storage backends, to be imported from `anonchat`. Nothing else is public."""

from anonchat.clock import Clock, iso
from anonchat.context import PluginContext
from anonchat.declarations import (
    Answer,
    Call,
    ClientEvent,
    Job,
    Metric,
    Request,
    Route,
    ServerEvent,
    Tables,
    WebAssets,
)
from anonchat.errors import ChatError, StartError
from anonchat.hookspecs import hookimpl, hookspec
from anonchat.ids import keyed_hash, new_id
from anonchat.journal import Journal, Transaction
from anonchat.maintenance import Finding, Maintenance
from anonchat.migrate.revisions import MigrationError
from anonchat.models import (
    RANK_MODERATOR,
    RANK_OWNER,
    RANK_PARTICIPANT,
    Denied,
    Draft,
    Edit,
    Event,
    Held,
    HeldMessage,
    Invite,
    Message,
    Receipt,
    Rejected,
    Role,
    Room,
    Session,
)
from anonchat.names import folded as folded_name
from anonchat.queues import PendingWork, WorkQueue
from anonchat.rates import Rates
from anonchat.remembered import Remembered
from anonchat.schemas import EventSchema, Schema, Truth, Whole, message_wire, user_wire
from anonchat.seats import Applicant
from anonchat.skeletons import skeleton
from anonchat.sql import insert_or_ignore, one_of, pair_of, upsert
from anonchat.storage import Bus, Database, Ephemeral, Migrations, Parameters, Row, Statements, Work
from anonchat.tables import messages as messages_table
from anonchat.tables import rooms as rooms_table
from anonchat.tables import sessions as sessions_table

__all__ = [
    "RANK_MODERATOR",
    "RANK_OWNER",
    "RANK_PARTICIPANT",
    "Answer",
    "Applicant",
    "Bus",
    "Call",
    "ChatError",
    "ClientEvent",
    "Clock",
    "Database",
    "Denied",
    "Draft",
    "Edit",
    "Ephemeral",
    "Event",
    "EventSchema",
    "Finding",
    "Held",
    "HeldMessage",
    "Invite",
    "Job",
    "Journal",
    "Maintenance",
    "Message",
    "Metric",
    "MigrationError",
    "Migrations",
    "Parameters",
    "PendingWork",
    "PluginContext",
    "Rates",
    "Receipt",
    "Rejected",
    "Remembered",
    "Request",
    "Role",
    "Room",
    "Route",
    "Row",
    "Schema",
    "ServerEvent",
    "Session",
    "StartError",
    "Statements",
    "Tables",
    "Transaction",
    "Truth",
    "WebAssets",
    "Whole",
    "Work",
    "WorkQueue",
    "folded_name",
    "hookimpl",
    "hookspec",
    "insert_or_ignore",
    "iso",
    "keyed_hash",
    "message_wire",
    "messages_table",
    "new_id",
    "one_of",
    "pair_of",
    "rooms_table",
    "sessions_table",
    "skeleton",
    "upsert",
    "user_wire",
]

"""The public API for authors of plugins and storage backends, to be imported from `anonchat`.

Public are also `anonchat.testing`, and for programs that chat `anonchat.client`; nothing else is.
"""

from anonchat.clock import Clock, iso
from anonchat.context import (
    PluginContext,
    PluginEphemeral,
    PluginHooks,
    PluginLimits,
    PluginMessages,
    PluginRooms,
    PluginSessions,
)
from anonchat.delivery.journal import Journal, Transaction
from anonchat.errors import ChatError, NotYet, StartError
from anonchat.ids import keyed_hash, new_id
from anonchat.migrate.revisions import MigrationError, Migrations
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
    Message,
    Receipt,
    Rejected,
    Role,
    Room,
    Session,
)
from anonchat.people.names import folded as folded_name
from anonchat.people.seats import Applicant
from anonchat.plugins.declarations import (
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
from anonchat.plugins.hookspecs import hookimpl, hookspec
from anonchat.plugins.remembered import Remembered
from anonchat.protocol.schemas import EventSchema, Schema, Truth, Whole, message_wire
from anonchat.rates import Rates
from anonchat.storage.maintenance import Finding, Maintenance, clock_findings
from anonchat.storage.queues import Completion, PendingWork, WorkQueue
from anonchat.storage.roles import (
    MANY_ROOMS,
    Bus,
    Database,
    Ephemeral,
    Locked,
    Parameters,
    Reads,
    Row,
    Statements,
    Work,
)
from anonchat.store.sql import insert_or_ignore, one_of, statement_of, upsert
from anonchat.store.tables import messages as messages_table
from anonchat.store.tables import rooms as rooms_table
from anonchat.store.tables import sessions as sessions_table

__all__ = [
    "MANY_ROOMS",
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
    "Completion",
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
    "Job",
    "Journal",
    "Locked",
    "Maintenance",
    "Message",
    "Metric",
    "MigrationError",
    "Migrations",
    "NotYet",
    "Parameters",
    "PendingWork",
    "PluginContext",
    "PluginEphemeral",
    "PluginHooks",
    "PluginLimits",
    "PluginMessages",
    "PluginRooms",
    "PluginSessions",
    "Rates",
    "Reads",
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
    "clock_findings",
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
    "rooms_table",
    "sessions_table",
    "statement_of",
    "upsert",
]

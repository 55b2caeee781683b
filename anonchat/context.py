"""`PluginContext`: all that a plugin sees of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram

from anonchat.clock import Clock
from anonchat.delivery.journal import Also, Check, Journal, Transaction
from anonchat.delivery.relay import Relay
from anonchat.ids import new_id
from anonchat.limits import Limits
from anonchat.messages.held import HeldMessages
from anonchat.messages.intake import Intake
from anonchat.messages.messages import Messages
from anonchat.models import Audience, Draft, HeldMessage, Message, Receipt, Role, Room, Session
from anonchat.people.presence import Presence
from anonchat.people.sessions import Sessions
from anonchat.plugins.declarations import needs_event_loop
from anonchat.plugins.dispatch import Dispatcher
from anonchat.plugins.flow import Flow
from anonchat.rooms.invites import Invites
from anonchat.rooms.retention import Retention
from anonchat.rooms.rooms import Changes, Rooms
from anonchat.storage.roles import Ephemeral, Reads


class PluginRooms:
    """Rooms, as a plugin may use them."""

    def __init__(
        self,
        check: Check,
        rooms: Rooms,
        invites: Invites,
        relay: Relay,
        retention: Retention,
        flow: Flow,
    ) -> None:
        self._check = check
        self._flow = flow
        self._rooms = rooms
        self._invites = invites
        self._relay = relay
        self._retention = retention

    async def find(self, room_id: str) -> Room:
        """The room. Raises `room_not_found` or `room_ended`."""
        return await self._rooms.find(room_id)

    def position(self, room_id: str) -> int | None:
        """The seq up to which this node has delivered what happened in a room.

        None where nobody is on this node, or nothing has happened.
        """
        return self._relay.position(room_id) or None

    def broadcast(
        self,
        room_id: str,
        event: str,
        data: Mapping[str, Any],
        *,
        skip: str | None = None,
        only: Collection[str] | None = None,
        moderators: bool = False,
    ) -> None:
        """Send an event that is not kept to who is in the room now. May get lost.

        To everybody but the session `skip`, to the sessions `only`, or to the moderators. What must not get lost is
        appended in a transaction: ``ctx.db.transaction`` and ``tx.append``. What is only true once a transaction is
        committed is told by ``tx.tell``. Above the rate in `Budgets.broadcasts` to one room, or to one session, they are
        dropped, counted and logged. Raises RuntimeError outside of the event loop.
        """
        needs_event_loop("ctx.rooms.broadcast")
        self._check(event, False)
        alone = next(iter(only)) if only is not None and len(only) == 1 else None
        if self._flow.lets_pass(alone or room_id):
            self._relay.broadcast(room_id, event, data, Audience.of(skip, only, moderators))

    def send(self, room_id: str, session_id: str, event: str, data: Mapping[str, Any]) -> None:
        """Send an event that is not kept to all sockets of one session. May get lost, see `broadcast`."""
        self.broadcast(room_id, event, data, only=(session_id,))

    async def rotate_moderator_token(self, room_id: str) -> str:
        """Refuse the moderator token of the room from now on, and return a new one, which cannot be read again."""
        return await self._invites.rotate_owner(room_id)

    async def update(self, room: Room, changes: Changes, also: Also | None = None) -> None:
        """Change `title`, `description` or `settings`; members get `room_updated` with what is different now.

        Settings are merged at the top level: ``{"settings": {"dice": …}}`` leaves those of others. Where the new depend on
        the old, `changes` is a function of the room as it is in the transaction; it may run twice. `also` as for `close`.
        Raises TypeError for anything else that is to change, and `validation_failed`.
        """
        await self._rooms.update(room, changes, _as_plugin(also, self._check))

    async def close(self, room_id: str, by: str | None = None, also: Also | None = None) -> None:
        """Let nobody new in. `also(tx)` happens in the same transaction, before it; if it raises, nothing happens."""
        await self._rooms.close(room_id, by, _as_plugin(also, self._check))

    async def reopen(self, room_id: str, also: Also | None = None) -> None:
        """Let people in again. `also` as for `close`."""
        await self._rooms.reopen(room_id, _as_plugin(also, self._check))

    async def end(self, room_id: str, reason: str, also: Also | None = None) -> None:
        """End the room for good. `also` as for `close`."""
        await self._retention.end(room_id, reason, _as_plugin(also, self._check))


def _as_plugin(also: Also | None, check: Check) -> Also | None:
    """The same with a transaction that appends only what the plugin may."""
    return None if also is None else lambda tx: also(tx.checked_by(check))


class PluginSessions:
    """Sessions, as a plugin may use them."""

    def __init__(self, sessions: Sessions, presence: Presence, check: Check) -> None:
        self._sessions = sessions
        self._presence = presence
        self._check = check

    async def get(self, session_id: str) -> Session | None:
        """A session by its id, or None."""
        return await self._sessions.get(session_id)

    def is_present(self, session: Session) -> bool:
        """Whether the participant is there."""
        return session.id in self._presence.of(session.room_id).people

    async def find_by_device(self, room_id: str, device_hash: str) -> Sequence[Session]:
        """The sessions of a room that began on one device, at most a hundred."""
        return await self._sessions.of_device(room_id, device_hash)

    def present(self, room_id: str) -> Sequence[Session]:
        """Who is in a room, by when they came."""
        return self._presence.of(room_id).sessions()

    async def find_named(self, room_id: str, usernames: Collection[str]) -> Mapping[str, Session]:
        """Name (`folded_name`) -> the session that holds it. One query, however many names."""
        return await self._sessions.named(room_id, usernames)

    async def set_role(self, session: Session, role: Role, rank: int, also: Also | None = None) -> Session:
        """Promote or demote: everybody is told, and open sockets act under the new role at once.

        `also(tx)` happens in the same transaction, before it; if it raises, nothing happens.
        """
        return await self._sessions.set_role(session, role, rank, _as_plugin(also, self._check))

    async def expel(self, session: Session, reason: str, event: str, data: Mapping[str, Any], code: int) -> None:
        """End a session: its sockets are told `event`, which the plugin has declared, and closed with `code`."""
        self._check(event, False)
        await self._sessions.expel(session, reason, event, data, code)

    def disconnect(self, session_id: str, code: int, reason: str = "") -> None:
        """Close all sockets of a session on this node. Raises RuntimeError outside of the event loop."""
        needs_event_loop("ctx.sessions.disconnect")
        self._sessions.disconnect(session_id, code, reason)

    async def remove(self, session: Session, reason: str, *, forget: bool = False) -> None:
        """End a session; with `forget` what it wrote is deleted."""
        await self._sessions.leave(session, forget=forget, reason=reason)


class PluginMessages:
    """Messages, as a plugin may use them."""

    def __init__(self, intake: Intake, messages: Messages, held: HeldMessages, check: Check) -> None:
        self._intake = intake
        self._messages = messages
        self._held = held
        self._check = check

    async def send(
        self,
        session: Session,
        content: Mapping[str, Any],
        *,
        client_msg_id: str | None = None,
        reply_to_id: str | None = None,
    ) -> Receipt:
        """Send a message in somebody's name, through the filters, and wait until it is stored.

        `content` is JSON with a `type` and a `text`: the message as plain text, for filters and simple clients. The
        same `client_msg_id` of a session gives the same receipt, also later. `receipt.seq` is None if it is held.
        Raises what refuses it.
        """
        draft = Draft(session.room_id, session, client_msg_id or new_id(), content, reply_to_id)
        return await self._intake.post(draft)

    async def get(self, room_id: str, message_ids: Sequence[str], tx: Reads | None = None) -> Mapping[str, Message]:
        """Id -> message, of those that are in the room; held and deleted ones too. One query, in `tx` if it is given."""
        return await self._messages.get(room_id, message_ids, tx)

    async def held(self, room_id: str, limit: int = 200) -> Sequence[HeldMessage]:
        """The held messages of a room, oldest first."""
        return await self._held.of_room(room_id, limit)

    async def release(self, room_id: str, message_id: str, also: Also | None = None) -> None:
        """Show a held message to everybody. Raises `message_not_found`, or `conflict` if it is not held (any more).

        `also(tx)` happens in the same transaction, before it; if it raises, nothing happens.
        """
        await self._held.release(room_id, message_id, _as_plugin(also, self._check))

    async def keep_held(self, tx: Transaction, room_id: str, reason: str, instead: str) -> int:
        """In a transaction of yours: what is held for `reason` until some time waits for a moderator, for another reason."""
        return await self._held.keep(tx, room_id, reason, instead)

    async def drop(self, room_id: str, message_id: str, also: Also | None = None) -> None:
        """Delete a held message. Raises `conflict` if it is not held (any more). `also` as for `release`."""
        await self._held.drop(room_id, message_id, _as_plugin(also, self._check))

    async def remove_of(self, room_id: str, session_id: str, reason: str) -> int:
        """Delete all that one session wrote in the room; members get `messages_removed`. Answers how many it was."""
        return await self._messages.remove_of(room_id, session_id, reason)


class PluginEphemeral:
    """State that expires and may be lost, under names of the plugin's own."""

    def __init__(self, plugin: str, ephemeral: Ephemeral) -> None:
        self._prefix = f"plugin:{plugin}:"
        self._ephemeral = ephemeral

    async def get(self, key: str) -> bytes | None:
        """What is stored, or None. A key that is no Unicode raises ValueError, here as below."""
        return await self._ephemeral.get(self._named(key))

    async def put(
        self,
        key: str,
        value: bytes,
        milliseconds: int,
        *,
        only_if_absent: bool = False,
        only_if: bytes | None = None,
    ) -> bool:
        """Store for a time, if nothing is there (`only_if_absent`) or if it holds `only_if`; answers whether it was stored.

        Raises TypeError for what is not bytes and no whole number of milliseconds, ValueError if that is not positive.
        """
        # Else memory would take what Redis cannot.
        if not isinstance(value, bytes) or not isinstance(only_if, bytes | None) or type(milliseconds) is not int:
            raise TypeError("Ephemeral state is bytes, for a whole number of milliseconds.")
        if milliseconds <= 0:
            raise ValueError("Ephemeral state is for one millisecond at least.")
        return await self._ephemeral.put(
            self._named(key), value, milliseconds, only_if_absent=only_if_absent, only_if=only_if
        )

    async def remove(self, key: str, *, only_if: bytes | None = None) -> bool:
        """Remove, if it holds `only_if` where that is given; answers whether it was there."""
        return await self._ephemeral.remove(self._named(key), only_if=only_if)

    def _named(self, key: str) -> str:
        key.encode()  # as on Redis: a lone surrogate is refused
        return self._prefix + key


class PluginLimits:
    """Rates of the plugin's own."""

    def __init__(self, plugin: str, limits: Limits) -> None:
        self._plugin = plugin
        self._limits = limits

    async def hit(self, name: str, rate: str, key: str) -> None:
        """Count one act of `key` against `rate` ("5/minute"). Raises `rate_limited`."""
        await self._limits.hit_rate(f"{self._plugin}.{name}", rate, key)


class PluginHooks:
    """The hooks that the plugin offers to others, called as the core calls its own: in order, bounded, contained.

    All of them raise LookupError for a hook that the plugin does not offer.
    """

    def __init__(self, plugin: str, dispatcher: Dispatcher, offered: frozenset[str]) -> None:
        self._plugin = plugin
        self._dispatcher = dispatcher
        self._offered = offered

    async def write(self, tx: Transaction, hook: str, **arguments: Any) -> None:
        """Let others write in your transaction. Raises `ChatError` if one of them fails."""
        self._check(hook)
        await self._dispatcher.write(hook, tx, **arguments)

    def observe(self, hook: str, **arguments: Any) -> None:
        """Tell it later, in order. Returns at once."""
        self._check(hook)
        self._dispatcher.observe(hook, **arguments)

    async def guard(self, hook: str, **arguments: Any) -> None:
        """Raises `ChatError` with the first denial, or `plugin_failed`."""
        self._check(hook)
        await self._dispatcher.guard(hook, **arguments)

    async def enrich(self, hook: str, **arguments: Any) -> Mapping[str, Any]:
        """Plugin name -> the mapping that it answered."""
        self._check(hook)
        return await self._dispatcher.enrich(hook, **arguments)

    def _check(self, hook: str) -> None:
        if hook not in self._offered:
            raise LookupError(f"The plugin {self._plugin!r} does not offer the hook {hook!r} (register_hookspecs).")


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What `setup` gets. ``help(PluginRooms)`` and so on tell what its parts do.

    ``name``       the plugin's name
    ``config``     its validated settings
    ``log``        a structlog logger with the plugin's name: ``ctx.log.info("rolled", sides=6)``
    ``clock``      `Clock`: the time, which a test can set
    ``db``         `Journal`: reads, and transactions with a `Transaction`
    ``rooms``      `PluginRooms`, also what is sent to a room
    ``sessions``   `PluginSessions`
    ``messages``   `PluginMessages`
    ``ephemeral``  `PluginEphemeral`: state that may be lost
    ``limits``     `PluginLimits`: rates
    ``metrics``    what the plugin declared, by name: metrics of prometheus_client, ``ctx.metrics["rolls"].labels(sides="6").inc()``
    ``hooks``      `PluginHooks`: calls hooks that the plugin offers
    ``spawn``      ``ctx.spawn(coroutine)``: a task in the background
    """

    name: str
    config: Mapping[str, Any]
    log: Any
    clock: Clock
    db: Journal
    rooms: PluginRooms
    sessions: PluginSessions
    messages: PluginMessages
    ephemeral: PluginEphemeral
    limits: PluginLimits
    metrics: Mapping[str, Counter | Gauge | Histogram]
    hooks: PluginHooks
    spawn: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]
    """Run something in the background. Failures are logged; what still runs at the shutdown is cancelled.

    Raises `overloaded` if the plugin has too many tasks already.
    """


def logger_of(plugin: str) -> Any:
    """A plugin's logger: its name stands in every line."""
    return structlog.get_logger("anonchat.plugin").bind(plugin=plugin)

"""Names, places and invites under contention, and what becomes of them with time (promise S2)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from anonchat.app import Server
from anonchat.delivery.journal import Transaction
from anonchat.errors import ChatError
from anonchat.messages import messages as messages_module
from anonchat.models import Draft, Held, Invite, Role, Room, Session
from anonchat.people import sessions as sessions_module
from anonchat.people.seats import Applicant
from anonchat.rooms.rooms import NewRoom
from anonchat.store.tables import invites, messages, rooms, sessions
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import open_room, request

HOLD, CONNECT, TTL = 900, 60, 86_400


@dataclass
class House:
    """A server with one room, and whoever joins it through the services."""

    server: Server
    clock: SettableClock
    room: Room = field(init=False)
    invite: str = field(init=False)
    moderator: str = field(init=False)

    async def build(self, places: int = 100) -> None:
        created = await self.server.rooms.create(NewRoom("Room", ephemeral=False, max_participants=places))
        self.room, self.invite, self.moderator = created.room, created.invite_token, created.moderator_token

    async def join(
        self, name: str, *, device: str | None = None, moderator: bool = False, invite: str | None = None
    ) -> tuple[Session, str]:
        applicant = Applicant(name, "moderator" if moderator else "participant", "network", device_hash=device)
        token = invite or (self.moderator if moderator else self.invite)
        return await self.server.seats.join(self.room, applicant, token)

    async def make_invite(self, role: Role, uses: int) -> tuple[Invite, str]:
        """One more invite, made by an owner who leaves again."""
        owner, _ = await self.join("Olga", moderator=True)
        made = await self.server.invites.create(owner, role, None, uses)
        await self.server.sessions.leave(owner)
        return made

    async def present(self, name: str, **options: bool) -> Session:
        """Somebody who has joined and connected."""
        session, _ = await self.join(name, **options)  # type: ignore[arg-type]
        session = await self.server.seats.seat(session)
        await self.server.seats.touch()  # as every tick does
        return session

    async def seats(self) -> int:
        """What the counter says, after it was held against the rows."""
        counting = (
            select(rooms.c.seats, func.count(sessions.c.name_key).label("counted"))
            .group_by(rooms.c.id)
            .join(sessions, sessions.c.room_id == rooms.c.id, isouter=True)
            .where(rooms.c.id == self.room.id)
        )
        row = await self.server.journal.fetch_one(counting)
        assert row is not None
        assert row["seats"] == row["counted"]
        return int(row["seats"])


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = SettableClock()
    times = {"name_hold_seconds": HOLD, "connect_seconds": CONNECT, "ttl_seconds": TTL, "grace_seconds": 10}
    async with running_server(settings_in(tmp_path, sessions=times), clock) as server:
        house = House(server, clock)
        await house.build()
        yield house


async def outcomes(*joins: object) -> list[str]:
    """The codes of the joins that failed; "" for those that did not."""
    answers = await asyncio.gather(*joins, return_exceptions=True)  # type: ignore[call-overload]
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, ChatError):
            raise answer
    return [answer.code if isinstance(answer, ChatError) else "" for answer in answers]


@pytest.mark.gen_test
@pytest.mark.parametrize("names", [["scope"], ["scope", "SCOPE", "Scope", "\u0455\u0441\u043e\u0440\u0435"]])
async def test_one_name_has_one_winner(house: House, names: list[str]) -> None:
    spellings = [names[number % len(names)] for number in range(64)]
    codes = await outcomes(*(house.join(name) for name in spellings))
    assert codes.count("") == 1
    assert codes.count("username_taken") == 63
    assert await house.seats() == 1


@pytest.mark.gen_test
async def test_a_room_never_has_one_too_many(house: House) -> None:
    await house.build(places=50)
    codes = await outcomes(*(house.join(f"Person {number}") for number in range(80)))
    assert (codes.count(""), codes.count("room_full")) == (50, 30)
    assert await house.seats() == 50


@pytest.mark.gen_test
async def test_an_invite_opens_as_often_as_it_says(house: House) -> None:
    invite, token = await house.make_invite("participant", 10)
    codes = await outcomes(*(house.join(f"Person {number}", invite=token) for number in range(40)))
    assert (codes.count(""), codes.count("invalid_invite")) == (10, 30)
    row = await house.server.journal.fetch_one(select(invites.c.uses).where(invites.c.id == invite.id))
    assert row is not None
    assert row["uses"] == 10


@pytest.mark.gen_test
async def test_who_has_used_an_invite_up_comes_back_by_it(house: House) -> None:
    invite, token = await house.make_invite("participant", 1)
    first, _ = await house.join("Anna", device="her telephone", invite=token)
    again, _ = await house.join("Anna", device="her telephone", invite=token)
    assert again.id == first.id
    others = (house.join("Berta", invite=token), house.join("Anna", device="another", invite=token))
    assert await outcomes(*others) == ["invalid_invite"] * 2
    (listed,) = [found for found in await house.server.invites.all(house.room.id) if found.id == invite.id]
    assert listed.uses == 1
    path, body = f"/api/rooms/{house.room.id}", {"username": "Berta", "inviteToken": token}
    for route in ("join", "validate-invite"):
        reply = await request(
            house.server, "POST", f"{path}/{route}", body if route == "join" else {"inviteToken": token}
        )
        assert (reply.status, reply.body["code"]) == (403, "invalid_invite")
    _, spent = await house.make_invite("moderator", 1)
    await house.join("Maud", moderator=True, invite=spent)
    assert await outcomes(house.join("Anna", device="her telephone", invite=spent)) == ["invalid_invite"]
    anna = await house.server.sessions.get(first.id)
    assert anna is not None
    assert not anna.is_moderator, "a use that there is not raises nobody"
    owner, _ = await house.join("Olga", moderator=True)
    await house.server.invites.revoke(owner, invite.id)
    assert await outcomes(house.join("Anna", device="her telephone", invite=token)) == ["invalid_invite"]


@pytest.mark.gen_test
async def test_a_join_that_fails_uses_up_nothing(house: House) -> None:
    _, token = await house.make_invite("participant", 2)
    codes = await outcomes(*(house.join("Anna", invite=token) for _ in range(5)), house.join("Berta", invite=token))
    assert codes.count("") == 2
    assert await house.seats() == 2


@pytest.mark.gen_test
@pytest.mark.parametrize("seed", range(4))
async def test_the_counter_of_seats_is_never_wrong(house: House, seed: int) -> None:
    chance = random.Random(seed)
    await house.build(places=6)
    known: list[Session] = []

    async def act() -> None:
        session = chance.choice(known) if known else None
        what = chance.choice(["join", "join", "seat", "leave", "expire", "touch"])
        if what == "join" or session is None:
            joined, _ = await house.join(f"Person {chance.randrange(9)}", device=f"device {chance.randrange(3)}")
            known.append(joined)
        elif what == "seat":
            await house.server.seats.seat(session)
        elif what == "leave":
            await house.server.sessions.leave(session, forget=chance.random() < 0.5)
        elif what == "expire":
            await house.server.sessions.expire()
        else:
            house.server.seats.absent(session)
            await house.server.seats.touch()

    for _ in range(25):
        codes = await outcomes(*(act() for _ in range(chance.randrange(1, 12))))
        assert set(codes) <= {"", "username_taken", "room_full", "name_lost", "invalid_token"}
        assert await house.seats() <= 6
        house.clock.advance(chance.choice([1, CONNECT, HOLD, TTL]))


@pytest.mark.gen_test
async def test_who_never_connects_loses_the_name_after_a_minute(house: House) -> None:
    await house.join("Anna")
    house.clock.advance(CONNECT - 1)
    assert await outcomes(house.join("anna")) == ["username_taken"]
    house.clock.advance(2)
    assert await outcomes(house.join("anna")) == [""]
    assert await house.seats() == 1


@pytest.mark.gen_test
async def test_a_name_is_held_retaken_and_lost(house: House) -> None:
    anna = await house.present("Anna")
    house.clock.advance(HOLD - 1)
    assert await outcomes(house.join("Anna")) == ["username_taken"]
    house.clock.advance(2)
    await house.present("Berta")  # frees what has lapsed
    assert await house.seats() == 1
    assert (await house.server.seats.seat(anna)).name_key == anna.name_key
    assert await house.seats() == 2
    house.clock.advance(HOLD + 1)
    await house.join("Anna")
    gone = await house.server.sessions.get(anna.id)
    assert gone is not None
    assert await outcomes(house.server.seats.seat(gone)) == ["name_lost"]


@pytest.mark.gen_test
async def test_a_place_can_be_gone_when_one_comes_back(house: House) -> None:
    await house.build(places=1)
    anna = await house.present("Anna")
    house.clock.advance(HOLD + 1)
    berta = await house.present("Berta")
    gone = await house.server.sessions.get(anna.id)
    assert gone is not None
    assert await outcomes(house.server.seats.seat(gone)) == ["room_full"]
    await house.server.sessions.leave(berta)
    assert await outcomes(house.server.seats.seat(gone)) == [""]


@pytest.mark.gen_test
async def test_coming_back_uses_no_invite(house: House) -> None:
    invite, token = await house.make_invite("participant", 2)
    for _ in range(3):
        await house.join("Alice", device="a device", invite=token)
    (listed,) = [found for found in await house.server.invites.all(house.room.id) if found.id == invite.id]
    assert listed.uses == 1


@pytest.mark.gen_test
async def test_a_higher_role_uses_the_invite(house: House) -> None:
    """Else one link of one use could make everybody a moderator."""
    _, token = await house.make_invite("moderator", 1)
    await house.join("Alice", device="a device")
    raised, _ = await house.join("Alice", device="a device", invite=token)
    assert raised.is_moderator
    assert await outcomes(house.join("Bob", invite=token)) == ["invalid_invite"]


@pytest.mark.gen_test
async def test_the_same_device_gets_its_session_back(house: House) -> None:
    first, token = await house.join("Anna", device="device one")
    again, other_token = await house.join("ANNA", device="device one")
    assert (again.id, token != other_token) == (first.id, True)
    assert {(await house.server.sessions.find(one)).id for one in (token, other_token)} == {first.id}
    assert await outcomes(house.join("Anna", device="device two"), house.join("Anna")) == ["username_taken"] * 2
    assert await house.seats() == 1


@pytest.mark.gen_test
async def test_a_session_that_is_given_back_is_alive(house: House) -> None:
    """Its hold, and its life, may have been over, if only nobody had noticed yet."""
    first, _ = await house.join("Anna", device="device one")
    house.clock.advance(TTL + 1)
    again, token = await house.join("Anna", device="device one")
    assert (await house.server.sessions.find(token)).id == again.id
    await house.join("Berta")  # frees what has lapsed
    assert await outcomes(house.join("Anna")) == ["username_taken"]
    assert first.id == again.id


@pytest.mark.gen_test
async def test_a_moderators_name_stays_held(house: House) -> None:
    await house.present("Anna", moderator=True)
    house.clock.advance(HOLD * 3)
    assert await outcomes(house.join("Anna"), house.join("ANNA", device="other device")) == ["username_taken"] * 2
    assert await house.seats() == 1


@pytest.mark.gen_test
async def test_nobody_takes_the_seat_of_the_connected_after_a_leap_of_the_clock(house: House) -> None:
    room = await open_room(house.server, title="Lunch")
    async with room.enter("Anna"):
        found = await house.server.rooms.find(room.id)
        applicant = Applicant("Anna", "participant", "network")
        house.clock.advance(HOLD * 4)
        assert await outcomes(house.server.seats.join(found, applicant, room.invite_token)) == ["username_taken"]


def refused(*_: object, **__: object) -> asyncio.Future[None]:
    """Instead of a transaction of a database that is away."""
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    answer.set_exception(ChatError("storage_unavailable"))
    return answer


@pytest.mark.gen_test
async def test_a_hold_that_could_not_be_stored_is_stored_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = await house.present("Anna")
    house.clock.advance(HOLD - 10)
    house.server.seats.absent(anna)
    with monkeypatch.context() as patch:
        patch.setattr(house.server.database, "transaction", refused)
        with pytest.raises(ChatError):
            await house.server.seats.touch()
    await house.server.seats.touch()
    house.clock.advance(HOLD - 10)
    assert await outcomes(house.join("Anna")) == ["username_taken"]


@pytest.mark.gen_test
async def test_two_sockets_are_one_participant(house: House) -> None:
    room = await open_room(house.server, title="Lunch")
    async with room.enter("Berta") as berta:
        async with room.enter("Anna") as anna:
            assert (await berta.hear("presence")).data["user"]["username"] == "Anna"
            session = await house.server.sessions.find(anna.token)
            other = await room.identify("Anna", anna.session_id, anna.token)
            try:
                state = next(heard for heard in other.welcome if heard.event == "presence_state")
                assert sorted(user["username"] for user in state.data["users"]) == ["Anna", "Berta"]
            finally:
                await other.close()
            house.clock.advance(20)
            await berta.say("still two")
            assert session.id in house.server.presence.of(session.room_id).people
        async with asyncio.timeout(60):
            while house.server.hub.of_session(session.id):
                await asyncio.sleep(0.01)
        house.clock.advance(9)
        house.server.presence.tick()
        assert session.id in house.server.presence.of(session.room_id).people
        house.clock.advance(2)
        left = await berta.hear("presence")
        assert (left.data["event"], left.data["user"]["username"], left.data["total"]) == ("leave", "Anna", 1)


@pytest.mark.gen_test
async def test_forgetting_leaves_nothing_that_was_on_its_way(house: House) -> None:
    """A message of another tab that comes between the forgetting and the end would stay for ever."""
    anna = await house.present("Anna")
    answers: list[object] = []
    for number in range(30):
        data = {"text": str(number), "client_msg_id": str(number), "reply_to_id": None}
        await house.server.intake.send(anna, data, answers.append)
        if number == 10:
            leaving = asyncio.create_task(house.server.sessions.leave(anna, forget=True))
        await asyncio.sleep(0.001)
    await leaving
    await house.server.writer.finish()
    page = await house.server.backlog.page(house.room.id, 50, None, None)
    assert page["messages"] == []
    assert len(answers) == 30


@pytest.mark.gen_test
async def test_forgetting_walks_through_the_room_once_and_in_pieces(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large room each piece is a short transaction, and the next one does not begin at the start again."""
    monkeypatch.setattr(messages_module, "CHUNK", 3)
    monkeypatch.setattr(messages_module, "WALKED", 10)
    walked: list[int] = []

    async def noted(tx: Transaction, room_id: str, session_id: str, reason: str, after: int) -> tuple[int, int | None]:
        walked.append(after)
        return await messages_module.remove_some(tx, room_id, session_id, reason, after)

    monkeypatch.setattr(sessions_module, "remove_some", noted)
    anna, bert = await house.present("Anna"), await house.present("Bert")
    text = {"type": "text", "text": "Hello"}
    for number in range(40):  # Anna's are 1 to 5, and 36 to 40
        author = bert if 5 <= number < 35 else anna
        await house.server.intake.post(Draft(house.room.id, author, f"{number}", text, None))
    held = Held(None, "waiting")
    for number in range(4):
        house.server.writer.submit(Draft(house.room.id, anna, f"held {number}", text, None), lambda _: None, held)
    await house.server.writer.finish()
    await house.server.sessions.leave(anna, forget=True)
    assert walked == [0, 3, 13, 23, 33, 38, 43, 44]  # each lot is told, which is a position, too
    left = await house.server.journal.fetch_all(select(messages.c.session_id))
    assert [row["session_id"] for row in left] == [bert.id] * 30


@pytest.mark.gen_test
async def test_who_was_demoted_meanwhile_does_not_act_any_more(house: House) -> None:
    """The session is as it was when the request began; what counts is what the database says at the act."""
    olga, _ = await house.join("Olga", moderator=True)
    meg, _ = await house.join("Meg")
    anna, _ = await house.join("Anna")
    meg = await house.server.sessions.set_role(meg, "moderator", 1)
    said: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    data = {"text": "Hello", "client_msg_id": "1", "reply_to_id": None}
    await house.server.intake.send(anna, data, said.set_result)
    message_id = (await said).message_id
    invite, _ = await house.server.invites.create(olga, "participant", None, None)
    await house.server.sessions.set_role(meg, "participant", 0)
    assert meg.is_moderator, "what the request began with"
    assert await outcomes(
        house.server.messages.delete(meg, message_id),
        house.server.invites.create(meg, "participant", None, None),
        house.server.invites.revoke(meg, invite.id),
    ) == ["not_moderator", "rank_too_low", "rank_too_low"]
    await house.server.sessions.leave(olga)
    assert (
        await outcomes(
            house.server.invites.create(olga, "moderator", None, None), house.server.messages.delete(olga, message_id)
        )
        == ["session_expired"] * 2
    )
    await house.server.sessions.leave(anna)
    assert (
        await outcomes(
            house.server.messages.edit(anna, message_id, "Goodbye"), house.server.messages.delete(anna, message_id)
        )
        == ["session_expired"] * 2
    )


@pytest.mark.gen_test
async def test_a_role_that_changes_while_somebody_identifies_holds(tmp_path: Path) -> None:
    """What was read of the session before the change comes after it."""
    async with running_server(settings_in(tmp_path)) as server:
        room = await open_room(server)
        joined = (await room.join("Maud", moderator=True)).body
        present, read, go_on = server.welcome._present, asyncio.Event(), asyncio.Event()

        async def slow(member: Any) -> Session:
            session = await present(member)
            read.set()
            await go_on.wait()
            return session

        server.welcome._present = slow  # type: ignore[method-assign]
        coming = asyncio.create_task(room.identify("Maud", joined["sessionId"], joined["sessionToken"]))
        await read.wait()
        session = await server.sessions.get(joined["sessionId"])
        assert session is not None
        await server.sessions.set_role(session, "participant", 0)
        go_on.set()
        maud = await coming
        assert maud.welcome[1].data["role"] == "participant"
        assert server.hub.of_session(session.id)[0].session.role == "participant"
        await maud.close()


@pytest.mark.gen_test
async def test_who_is_over_in_the_database_is_sent_away_whatever_was_cut_off(tmp_path: Path) -> None:
    """As when who acts has waited too long for a commit that comes all the same."""
    async with running_server(settings_in(tmp_path)) as server:
        room = await open_room(server)
        async with room.enter("Mallory") as mallory:
            gone = delete(sessions).where(sessions.c.id == mallory.session_id)
            await server.journal.transaction(lambda tx: tx.execute(gone), room.id)
            while await mallory.read() is not None:
                pass
            assert mallory.socket.close_code == 4401

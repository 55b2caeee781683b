/** A vote in a secret poll is sent once, and again only where the server may have it no more. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "../../../anonchat/web/static/protocol/chat.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";
import { Ballots } from "../../../plugins/polls/anonchat_polls/static/ballots.mjs";
import { drawer, Environment, seeded, settled } from "./environment.mjs";
import { PARTS, PluggedRoom } from "./plugged.mjs";

const LOST = "the connection breaks before the answer";
const refusal = (code) => ({ event: "error", data: { code, message: "No." } });

/** A secret poll and somebody who may vote in it; `room.count(votes, option)` is what the server does with a vote. */
async function scene() {
  const room = new PluggedRoom();
  room.ask("p1", "secret");
  const [poll] = room.polls.values();
  room.count = (votes, option) => {
    if (votes.has("me")) return refusal("already_voted");
    votes.set("me", option);
    return { event: "vote_pending", data: { pollId: poll.pollId } };
  };
  const sent = [];
  const told = [];
  let socket;
  const environment = new Environment(seeded(7), (dialled) => {
    socket = dialled;
    room.accept(socket);
    const other = socket.heard;
    socket.heard = (frame) => {
      if (frame.event === "get_poll_results") {
        const voted = poll.votes.has("me");
        return setImmediate(() => dialled.tell({ event: "poll_results", data: { ...room.state(poll, false), voted }, id: frame.id }));
      }
      if (frame.event !== "vote") return other(frame);
      sent.push(...frame.data.optionIds);
      return setImmediate(() => { // after the states that the server has read for who comes
        const answer = room.count(poll.votes, frame.data.optionIds[0]);
        if (answer === LOST) room.cut(dialled);
        else dialled.tell({ ...answer, id: frame.id });
      });
    };
  });
  const heard = (event, data) => {
    if (event === "open_polls") ballots.compare(data.polls);
    if (event === "votes_lost") ballots.lost(data.pollIds);
  };
  const chat = new Chat(environment, { url: "ws://room", token: "t" }, createStore(PARTS, heard), drawer());
  const problem = { set value(error) { if (error !== null) told.push(error.code); } };
  const ballots = new Ballots(() => ({ chat, problem }));
  chat.start();
  await settled();
  return {
    chat, room, poll, sent, told,
    vote: (option) => ballots.vote(poll.pollId, [option], true),
    cut: () => room.cut(socket),
    lose: () => socket.tell({ event: "votes_lost", data: { pollIds: [poll.pollId] } }),
    back: () => environment.pass(10_000),
  };
}

test("32 a vote that waits for the connection is sent once", async () => {
  const { chat, poll, sent, told, vote, cut, back } = await scene();
  cut();
  const voting = vote("2");
  await back();
  await voting;
  assert.deepEqual([sent, told, poll.votes.get("me")], [["2"], [], "2"]);
  assert.equal(chat.store.state.value.polls[poll.pollId].voted, true);
  chat.close();
});

test("32 a vote that is on its way is not sent twice", async () => {
  const { chat, sent, told, vote } = await scene();
  const both = await Promise.all([vote("2"), vote("2")]);
  assert.deepEqual([both, sent, told], [[true, false], ["2"], []]);
  chat.close();
});

test("32 a vote that was refused is not cast later", async () => {
  const { chat, room, sent, told, vote, cut, back } = await scene();
  room.count = () => refusal("rate_limited");
  assert.equal(await vote("2"), false);
  cut();
  await back();
  assert.deepEqual([sent, told], [["2"], ["rate_limited"]]);
  chat.close();
});

for (const isCounted of [false, true]) {
  test(`32 a vote whose answer was lost, and which was ${isCounted ? "" : "not "}counted, counts once`, async () => {
    const { chat, room, poll, sent, vote, back } = await scene();
    const { count } = room;
    room.count = (votes, option) => {
      room.count = count;
      if (isCounted) count(votes, option);
      return LOST;
    };
    await vote("2");
    await back();
    assert.deepEqual([sent, poll.votes.get("me")], [isCounted ? ["2"] : ["2", "2"], "2"]);
    chat.close();
  });
}

test("32 a vote that the server has forgotten is cast again, but not beside another", async () => {
  const { chat, poll, sent, told, vote, cut, back } = await scene();
  await vote("1");
  poll.votes.clear();
  cut();
  await back();
  assert.deepEqual([sent, poll.votes.get("me")], [["1", "1"], "1"]);
  poll.votes.clear();
  cut();
  const voting = vote("2");
  await back();
  await voting;
  assert.deepEqual([sent, told, poll.votes.get("me")], [["1", "1", "2"], [], "2"]);
  chat.close();
});

test("32 what was lost while one stayed is sent again, and what is still there is not", async () => {
  const { chat, room, poll, sent, vote, lose } = await scene();
  await vote("2");
  lose();
  await settled();
  assert.deepEqual([sent, chat.store.state.value.polls[poll.pollId].voted], [["2"], true]);
  poll.votes.clear();
  lose();
  for (const _ of ["what is known", "the vote", "its answer"]) await settled();
  assert.deepEqual([sent, poll.votes.get("me")], [["2", "2"], "2"]);
  assert.equal(room.polls.size, 1);
  chat.close();
});

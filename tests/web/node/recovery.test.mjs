/** After any order of drops, lost frames, replays and restarts the state is that of a client that has just come. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "../../../anonchat/web/static/protocol/chat.mjs";
import { typing } from "../../../anonchat/web/static/state/selectors.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";
import { drawer, Environment, seeded, settled } from "./environment.mjs";
import { Room } from "./room.mjs";

const RUNS = 150;
const ACTS = 120;

async function chatIn(room, random, lose = () => false) {
  let last = null;
  const environment = new Environment(random, (socket) => {
    socket.loses = lose;
    last = socket;
    room.accept(socket);
  });
  const chat = new Chat(environment, { url: "ws://room", token: "t" }, createStore(), drawer());
  chat.start();
  await settled();
  return { chat, environment, cut: (...how) => room.cut(last, ...how) };
}

/** What a person sees: without what only tells how it came to be. */
function seen(state) {
  const { list } = state.messages;
  return { list, people: state.people.all, total: state.people.total, details: state.room.details };
}

function act(room, random) {
  const alive = [...room.messages.values()].filter((wire) => wire.deletedAt === undefined);
  const chosen = alive[Math.floor(random() * alive.length)];
  const what = random();
  if (what < 0.5 || chosen === undefined) room.say(`p${Math.floor(random() * 3)}`, `text ${random()}`);
  else if (what < 0.65) room.edit(chosen.id, `changed ${random()}`);
  else if (what < 0.75) room.delete(chosen.id);
  else if (what < 0.8) room.remove({ messageIds: [chosen.id], reason: "forgotten" });
  else if (what < 0.82) room.remove({ throughSeq: chosen.seq, reason: "retention" });
  else room.presence(random() < 0.5 ? "join" : "leave", `p${Math.floor(random() * 5)}`);
}

test("any order of drops, lost frames and replays ends in the state of a fresh client", async () => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const random = seeded(seed);
    const room = new Room();
    let isLossy = true;
    const { chat, environment, cut } = await chatIn(room, random, () => isLossy && random() < 0.05);
    for (let count = 0; count < ACTS; count += 1) {
      act(room, random);
      const chance = random();
      if (chance < 0.08) cut();
      else if (chance < 0.12) chat.post(`own ${count}`);
      else if (chance < 0.16) await environment.pass(random() * 40_000);
      else if (chance < 0.2) chat.wake();
      await settled();
    }
    isLossy = false;
    await environment.pass(200_000);
    const fresh = await chatIn(room, seeded(seed));
    const known = fresh.chat.store.state.value.messages.list;
    const ours = seen(chat.store.state.value);
    // A fresh client has the newest page only; who was there longer knows more, and the same of that page.
    assert.deepEqual({ ...ours, list: ours.list.filter((wire) => wire.seq >= (known[0]?.seq ?? 0)) }, seen(fresh.chat.store.state.value), `seed ${seed}`);
    const own = [...room.acks.keys()];
    assert.equal(new Set(own).size, own.length);
    assert.deepEqual(chat.outbox.items.value, [], `seed ${seed}: everything that was posted has arrived`);
    chat.close();
    fresh.chat.close();
  }
});

test("a page that was read before a change that overtook it does not undo the change", async () => {
  const store = createStore();
  const room = new Room();
  room.say("p1", "first");
  room.say("p1", "second");
  const old = room.page(2);
  store.apply("history_chunk", { ...room.page(), messages: [room.messages.get("m2")], recovered: false });
  room.edit("m1", "changed");
  store.apply("message_edited", room.log.at(-1).data, { seq: room.seq });
  store.apply("history_chunk", old);
  assert.equal(store.state.value.messages.list[0].content.text, "changed");
});

test("a change of oneself holds in a crowd, where joins are not told, and so does the state that is asked for", async () => {
  const room = new Room();
  const { chat } = await chatIn(room, seeded(1));
  const me = (role) => ({ sessionId: "me", username: "Me", role });
  const role = () => chat.store.state.value.room.me.role;
  room.people.clear(); // the state names some, and not us
  room.version += 2; // somebody has come, too
  room.tell({ event: "presence", data: { event: "change", user: me("moderator"), total: 301, version: room.version } });
  assert.equal(role(), "moderator");
  room.people.set("me", me("participant"));
  room.version += 1; // a change of which nothing came
  chat.wake();
  assert.equal(role(), "participant");
  chat.close();
});

test("who began to type and said nothing more takes nobody's place", () => {
  const store = createStore();
  const type = (name, at) => store.apply("typing", { sessionId: name, username: name, typing: true }, { at });
  for (let count = 0; count < 50; count += 1) type(`early ${count}`, 0);
  type("late", 5_999);
  assert.equal(typing(store.state.value, 5_999).length, 50);
  type("late", 6_000);
  assert.deepEqual(typing(store.state.value, 6_000), ["late"]);
});

test("messages are bounded, the oldest go first and can be had again", () => {
  const store = createStore();
  const room = new Room();
  for (let count = 0; count < 10_050; count += 1) room.say("p1", String(count));
  store.apply("history_chunk", { ...room.page(undefined, 10_050), recovered: false });
  const { list, hasMore } = store.state.value.messages;
  assert.deepEqual([list.length, list[0].content.text, hasMore], [10_000, "50", true]);
});

/** When a chat connects, when it waits, when it stops, and that nothing that was posted is lost or sent twice. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff, LONGEST, SHORTEST } from "../../../anonchat/web/static/protocol/backoff.mjs";
import { Chat } from "../../../anonchat/web/static/protocol/chat.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";
import { drawer, Environment, seeded, settled } from "./environment.mjs";
import { Room } from "./room.mjs";

function scene({ kept = drawer(), serve = (room, socket) => room.accept(socket) } = {}) {
  const room = new Room();
  const dialled = [];
  const environment = new Environment(seeded(7), (socket) => {
    dialled.push(socket);
    serve(room, socket);
  });
  const chat = new Chat(environment, { url: "ws://room", token: "t" }, createStore(), kept);
  return { room, dialled, environment, chat, kept };
}

test("waits between 1 and 30 seconds, longer and longer, with chance in it", () => {
  const random = seeded(3);
  const backoff = new Backoff(random);
  const waits = Array.from({ length: 200 }, () => backoff.wait({ code: 1006 }));
  assert.ok(waits.every((wait) => wait >= SHORTEST && wait <= LONGEST));
  assert.ok(waits[0] <= 2_000 && waits[1] <= 4_000);
  assert.ok(new Set(waits).size > 190);
  assert.ok(Math.max(...waits) > 25_000);
});

for (const [code, reason] of [[1000, "left"], [4401, "session_expired"], [4403, "banned"], [4410, "room_ended"]]) {
  test(`24 does not come back after ${code}`, async () => {
    const { chat, dialled, environment, room } = scene();
    chat.start();
    await settled();
    room.cut(dialled[0], code, reason);
    await environment.pass(400_000);
    assert.equal(dialled.length, 1);
    assert.deepEqual(chat.status.value, { kind: "over", code, reason });
    await assert.rejects(chat.request("get_presence"));
  });
}

for (const code of [1001, 1006, 1011, 1012, 1013, 4400, 4408, 4413, 4429]) {
  test(`24 comes back after ${code}`, async () => {
    const { chat, dialled, environment, room } = scene();
    chat.start();
    await settled();
    room.cut(dialled[0], code);
    assert.equal(chat.status.value.kind, "offline");
    assert.ok(chat.status.value.until > environment.now());
    await environment.pass(35_000);
    assert.equal(chat.status.value.kind, "online");
    chat.close();
  });
}

test("comes back when the server asks it to", async () => {
  const { chat, dialled, environment, room } = scene();
  chat.start();
  await settled();
  dialled[0].tell({ event: "going_away", data: { reconnectAfterMs: 20_000 } });
  room.cut(dialled[0], 1001);
  await environment.pass(19_000);
  assert.equal(dialled.length, 1);
  await environment.pass(3_000);
  assert.equal(dialled.length, 2);
  chat.close();
});

test("a line on which nothing comes any more is cut", async () => {
  const { chat, dialled, environment, room } = scene();
  chat.start();
  await settled();
  dialled[0].heard = () => {};
  room.sockets.clear();
  await environment.pass(25_000 + 10_000 + 3_000);
  assert.ok(dialled[0].isClosed);
  assert.equal(dialled.length, 2);
  chat.close();
});

test("23 a loss after which nothing came is found on waking", async () => {
  const { chat, dialled, room, environment } = scene();
  chat.start();
  await settled();
  room.sockets.clear(); // the line is half dead: what happens is not told, what is asked is answered
  room.say("p1", "unheard");
  chat.wake();
  await environment.pass(5_000);
  assert.equal(dialled.length, 2);
  assert.equal(chat.store.state.value.messages.list.at(-1).content.text, "unheard");
  chat.close();
});

test("23 on waking it dials at once, but not in a loop", async () => {
  const { chat, dialled, environment } = scene({ serve: (_, socket) => setImmediate(() => socket.end(1006)) });
  chat.start();
  await environment.pass(1_000);
  const before = dialled.length;
  for (let count = 0; count < 20; count += 1) chat.wake();
  await settled();
  assert.ok(dialled.length - before <= 1);
  chat.close();
});

test("22 what was posted while offline goes in order, after what was missed", async () => {
  const { chat, dialled, room, environment } = scene();
  chat.start();
  await settled();
  room.cut(dialled[0]);
  for (const text of ["one", "two", "three"]) chat.post(text);
  room.say("p1", "meanwhile");
  await environment.pass(5_000);
  const texts = chat.store.state.value.messages.list.map((wire) => wire.content.text);
  assert.deepEqual(texts, ["meanwhile", "one", "two", "three"]);
  assert.deepEqual(chat.outbox.items.value, []);
  chat.close();
});

test("22 what is posted while the server's close is on its way goes to the next connection", async () => {
  const { chat, dialled, environment, room } = scene();
  chat.start();
  await settled();
  dialled[0].readyState = 2; // the browser has the close frame, and has not told us yet
  const thrownAway = [];
  dialled[0].heard = (frame) => thrownAway.push(frame); // as a browser does, with an error in its console
  chat.post("late");
  await settled();
  assert.deepEqual(thrownAway, []);
  room.cut(dialled[0], 1001);
  await environment.pass(35_000);
  assert.deepEqual([...room.messages.values()].map((wire) => wire.content.text), ["late"]);
  chat.close();
});

test("12 a message whose answer was lost is sent again with the same id and taken once", async () => {
  const { chat, dialled, room, environment } = scene();
  chat.start();
  await settled();
  room.take = function (socket, data) {
    delete room.take;
    this.store(data.clientMsgId, data.text);
    this.cut(socket);
  };
  chat.post("once");
  await environment.pass(5_000);
  assert.equal(dialled.length, 2);
  assert.equal([...room.messages.values()].filter((wire) => wire.content.text === "once").length, 1);
  assert.deepEqual(chat.outbox.items.value, []);
  chat.close();
});

test("8 what waits survives a reload of the page", async () => {
  const kept = drawer();
  const before = scene({ kept, serve: () => {} });
  before.chat.start();
  before.chat.post("typed before the reload");
  before.chat.close();
  const after = scene({ kept });
  after.chat.start();
  await after.environment.pass(100);
  assert.equal(after.room.messages.get("m1").content.text, "typed before the reload");
  after.chat.close();
});

test("12 what is refused stays, with the reason, and can be tried again with the same id", async () => {
  const { chat, room } = scene();
  const ids = [];
  const refuse = (socket, { clientMsgId }, id) => {
    ids.push(clientMsgId);
    socket.tell({ event: "error", data: { code: "message_refused", message: "No links here." }, id });
  };
  room.take = refuse;
  chat.start();
  await settled();
  chat.post("a link");
  await settled();
  const [item] = chat.outbox.items.value;
  assert.deepEqual([item.state, item.code, item.problem, item.text], ["failed", "message_refused", "No links here.", "a link"]);
  delete room.take;
  chat.retry(item.clientMsgId);
  await settled();
  assert.deepEqual([chat.outbox.items.value, [...room.acks.keys()]], [[], ids]);
  chat.close();
});

test("11 in slow mode a message waits and goes by itself", async () => {
  const { chat, room, environment } = scene();
  room.take = (socket, data, id) => {
    delete room.take;
    socket.tell({ event: "error", data: { code: "slow_mode", message: "Wait.", retryAfterMs: 5_000 }, id });
  };
  chat.start();
  await settled();
  chat.post("slowly");
  await settled();
  const [item] = chat.outbox.items.value;
  assert.ok(item.until - environment.now() >= 5_000);
  await environment.pass(7_000);
  assert.deepEqual([chat.outbox.items.value, room.messages.size], [[], 1]);
  chat.close();
});

test("nonsense from a server that was never understood ends the chat", async () => {
  const { chat, dialled, environment } = scene({ serve: (_, socket) => setImmediate(() => socket.onopen()) });
  const logged = console.error;
  console.error = () => {};
  try {
    chat.start();
    await settled();
    dialled[0].tell([1]);
  } finally {
    console.error = logged;
  }
  await environment.pass(60_000);
  assert.deepEqual([chat.status.value.kind, chat.status.value.reason, dialled.length], ["over", "not_ours", 1]);
});

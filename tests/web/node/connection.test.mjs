/** When a chat connects, when it waits, when it stops, and that nothing that was posted is lost or sent twice. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff, LONGEST, SHORTEST } from "../../../anonchat/web/static/protocol/backoff.mjs";
import { Chat } from "../../../anonchat/web/static/protocol/chat.mjs";
import { encode } from "../../../anonchat/web/static/protocol/frames.mjs";
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

for (const [code, reason] of [[1001], [1006], [1011], [1012], [1013], [4400], [4401, "not_identified"], [4408], [4413], [4429]]) {
  test(`24 comes back after ${code}`, async () => {
    const { chat, dialled, environment, room } = scene();
    chat.start();
    await settled();
    room.cut(dialled[0], code, reason);
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

test("16 a page that was asked for while too much was missed follows on what is known then", async () => {
  const { chat, dialled, room, environment } = scene();
  for (let count = 0; count < 200; count += 1) room.say("p1", "before");
  chat.start();
  await settled();
  room.cut(dialled[0]);
  const older = chat.older();
  for (let count = 0; count < 600; count += 1) room.say("p1", "missed");
  await environment.pass(5_000);
  await older;
  const seqs = chat.store.state.value.messages.list.map((wire) => wire.seq);
  assert.deepEqual(seqs, Array.from({ length: 150 }, (_, index) => 651 + index));
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

/** A chat whose first message has to wait for slow mode until `free()`, and how often it was sent. */
async function slowed(seconds) {
  const { chat, room, dialled, environment } = scene();
  const free = environment.now() + seconds * 1_000;
  const sends = [];
  room.take = function (socket, data, id) {
    sends.push(environment.now());
    const left = free - environment.now();
    if (left > 0) socket.tell({ event: "error", data: { code: "slow_mode", message: "Wait.", retryAfterMs: left }, id });
    else Room.prototype.take.call(this, socket, data, id);
  };
  chat.start();
  await settled();
  chat.post("slowly");
  await settled();
  return { chat, room, dialled, environment, sends, free };
}

for (const seconds of [60, 600, 3_600]) {
  test(`11 in a slow mode of ${seconds} seconds a message waits once, and is not given up`, async () => {
    const { chat, room, environment, sends, free } = await slowed(seconds);
    const [{ until }] = chat.outbox.items.value;
    assert.ok(until >= free && until <= free + 1_000);
    await environment.pass((seconds + 40) * 1_000); // the connection may be away just then
    assert.deepEqual([chat.outbox.items.value, room.messages.size, sends.length], [[], 1, 2]);
    chat.close();
  });
}

test("11 a message goes when slow mode is over, and waits no longer than a shorter one makes it", async () => {
  const { chat, room, environment, dialled, free } = await slowed(600);
  dialled[0].tell({ event: "moderation", data: { slowModeSeconds: 600 } });
  assert.ok(chat.outbox.items.value[0].until >= free);
  room.happens("moderation_changed", { slowModeSeconds: 60 });
  assert.ok(chat.outbox.items.value[0].until <= environment.now() + 61_000);
  delete room.take;
  room.happens("moderation_changed", { slowModeSeconds: 0 });
  await environment.pass(2_000);
  assert.deepEqual([chat.outbox.items.value, room.messages.size], [[], 1]);
  chat.close();
});

test("12 what the server cannot take for long is given up", async () => {
  const { chat, room, environment } = scene();
  let count = 0;
  room.take = (socket, _, id) => {
    count += 1;
    socket.tell({ event: "error", data: { code: "overloaded", message: "Later.", retryAfterMs: 1_000 }, id });
  };
  chat.start();
  await settled();
  chat.post("too much");
  await environment.pass(60_000);
  assert.deepEqual([count, chat.outbox.items.value[0].state], [8, "failed"]);
  chat.close();
});

test("18 a held message that was decided while one was away does not wait for ever", async () => {
  const { chat, room, dialled, environment } = scene();
  const ids = ["dropped", "still waits"];
  room.take = (socket, { clientMsgId, text }, id) => socket.tell({ event: "message_held", data: { clientMsgId, messageId: text, reason: "links" }, id });
  chat.start();
  await settled();
  for (const text of ids) chat.post(text);
  await environment.pass(100);
  const texts = () => chat.outbox.items.value.map((item) => item.text);
  room.cut(dialled[0]);
  await environment.pass(5_000);
  const waits = [{ message: { id: "still waits" }, reason: "links" }];
  dialled[1].tell({ event: "held_messages", data: { messages: waits, hasMore: true } });
  assert.deepEqual(texts(), ids); // what is not listed may wait, too
  dialled[1].tell({ event: "held_messages", data: { messages: waits, hasMore: false } });
  assert.deepEqual(texts(), ["still waits"]);
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

test("a frame holds nothing that the server cannot answer: no half emoji and no NUL", () => {
  const written = JSON.parse(encode("create_poll", { question: "a\ud83db\0c", options: [{ text: "\ude00" }, { text: "\ud83d\ude00" }] }, 1));
  assert.deepEqual(written, { event: "create_poll", data: { question: "abc", options: [{ text: "" }, { text: "😀" }] }, id: 1 });
});

/** One's stay in a room, without a page. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { drawer, Environment, seeded, settled, storage } from "./environment.mjs";
import { Room } from "./room.mjs";

const page = new EventTarget();
globalThis.addEventListener = page.addEventListener.bind(page);
globalThis.document = new EventTarget();
globalThis.location = new URL("http://127.0.0.1/");
const { Session } = await import("../../../anonchat/web/static/session.mjs");
const { Drawers } = await import("../../../anonchat/web/static/browser/drawers.mjs");

function scene(kept = drawer()) {
  const room = new Room();
  const sockets = [];
  const environment = new Environment(seeded(7), (socket) => {
    sockets.push(socket);
    room.accept(socket);
  });
  const registry = { reducers: {}, happened: () => {} };
  const session = new Session({ roomId: "r", membership: { sessionToken: "t" }, registry, environment, drawer: kept });
  return { room, sockets, environment, kept, session };
}

test("23 a stay listens to the page until it is over, and then is not held by it", async () => {
  const { session } = scene();
  const heard = [];
  session.chat.wake = () => heard.push("wake");
  session.chat.lost = () => heard.push("lost");
  const happen = () => {
    for (const event of ["online", "offline", "focus"]) page.dispatchEvent(new Event(event));
    document.dispatchEvent(new Event("visibilitychange"));
  };
  session.start();
  await settled();
  happen();
  assert.deepEqual(heard, ["wake", "lost", "wake", "wake"]);
  session.chat.close();
  happen();
  assert.equal(heard.length, 4);
});

for (const [code, reason, left] of [
  [4401, "session_expired", "failed"], [4401, "name_lost", "failed"], [4403, "kicked", null], [1000, "left", null], [null, "closed", "waiting"],
]) {
  test(`22 what waits when a stay is ${reason} is ${left ?? "gone"}, also for who loads the page anew`, async () => {
    const { session, room, sockets, kept } = scene();
    session.start();
    await settled();
    room.take = () => {}; // the answer is lost
    session.chat.post("too late");
    if (code === null) session.chat.close();
    else room.cut(sockets[0], code, reason);
    await settled();
    assert.deepEqual(kept.get("outbox").map((item) => item.state), left === null ? [] : [left]);
  });
}

test("22 a message that cannot be written at all has failed, and is not tried without an end", async () => {
  const { session, sockets, kept } = scene();
  session.start();
  await settled();
  sockets[0].send = () => {
    throw new TypeError("no");
  };
  session.chat.post("Hello");
  await settled();
  assert.deepEqual(kept.get("outbox").map(({ state, code }) => [state, code]), [["failed", "internal"]]);
  session.chat.close();
});

test("22 a send that the server put off touches nothing of the next stay", async () => {
  const { session, room, sockets, environment, kept } = scene();
  session.start();
  await settled();
  room.take = (socket, { clientMsgId }) => socket.tell({ event: "error", data: { code: "rate_limited", retryAfterMs: 5_000, clientMsgId } });
  session.chat.post("too much");
  await settled();
  assert.equal(typeof kept.get("outbox")[0].until, "number"); // the control: it waits
  room.cut(sockets[0], 4403, "kicked");
  await settled();
  const next = [{ clientMsgId: "next", text: "Again", state: "waiting" }];
  kept.set("outbox", next);
  await environment.pass(10_000);
  assert.deepEqual(kept.get("outbox"), next);
});

test("16 what lies further back than a page has room for is not asked for without an end, and that is said", async () => {
  const { session, room } = scene();
  for (let count = 0; count < 10_200; count += 1) room.say("p1", String(count));
  session.start();
  await settled();
  await session.show("m1");
  const { list } = session.state.messages;
  assert.deepEqual([session.problem.value.code, list.length, list[0].seq], ["too_far_back", 10_000, 201]);
  session.chat.close();
});

test("16 a message that is gone is looked for only up to where it was, and it is seen that it is", async () => {
  const { session, room } = scene();
  for (let count = 0; count < 1_000; count += 1) room.say("p1", String(count));
  room.remove({ messageIds: ["m900"] });
  session.start();
  await settled();
  const shows = session.show("m900", 900);
  assert.equal(session.searches.value, 1);
  await shows;
  const { list, hasMore } = session.state.messages;
  assert.deepEqual([session.problem.value.code, list[0].seq > 700, hasMore, session.searches.value], ["message_not_found", true, true, 0]);
  await session.show("m100", 100);
  assert.equal(session.wanted.value.id, "m100");
  session.chat.close();
});

test("16 who asks for too many older messages at once waits as long as the server says", async () => {
  const { session, room, sockets, environment } = scene();
  for (let count = 0; count < 60; count += 1) room.say("p1", String(count));
  session.start();
  await settled();
  const { heard } = sockets[0];
  let asked = 0;
  sockets[0].heard = (frame) => {
    asked += 1;
    if (asked > 1) heard(frame);
    else sockets[0].tell({ event: "error", data: { code: "rate_limited", retryAfterMs: 5_000 }, id: frame.id });
  };
  const older = session.older();
  await environment.pass(4_000);
  assert.equal(asked, 1);
  await environment.pass(2_000);
  await older;
  assert.equal(session.state.messages.list.length, 60);
  session.chat.close();
});

for (const reason of ["not_ours", "closed"]) {
  test(`24 a stay is kept for who loads the page anew when it is ${reason}`, async () => {
    const { session, kept } = scene();
    kept.set("membership", { sessionToken: "t" });
    session.start();
    session.chat.close(reason);
    assert.deepEqual(kept.get("membership"), { sessionToken: "t" });
  });
}

test("32 who presses twice means it once, and can do the same again when it is answered", async () => {
  const { session } = scene();
  const asked = [];
  session.chat.request = (event, data) => new Promise((done, fail) => asked.push({ event, data, done, fail }));
  const [first, second, other] = ["1", "1", "2"].map((messageId) => session.act("release_message", { messageId }));
  assert.deepEqual(asked.map(({ data }) => data.messageId), ["1", "2"]);
  asked[0].done();
  asked[1].fail({ code: "message_not_found" });
  assert.deepEqual(await Promise.all([first, second, other]), [true, true, false]);
  assert.equal(session.problem.value.code, "message_not_found");
  session.act("release_message", { messageId: "1" });
  assert.equal(asked.length, 3);
});

test("24 a tab whose stay is over forgets its own, and not the one that another tab has kept since", async () => {
  const device = storage();
  const [old, other] = [new Drawers(storage(), device), new Drawers(storage(), device)];
  old.keep(true);
  const { session, room, sockets, kept } = scene(old.named("room r"));
  kept.set("membership", { sessionToken: "t", invite: "i" });
  session.start();
  await settled();
  other.named("room r").set("membership", { sessionToken: "newer" });
  room.cut(sockets[0], 4401, "session_expired");
  assert.deepEqual(new Drawers(storage(), device).named("room r").get("membership"), { sessionToken: "newer" });
  assert.deepEqual(kept.get("membership"), { sessionToken: "newer" }); // which is also that of this device
});

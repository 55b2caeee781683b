/** What is new to whom, without a page. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Attention } from "../../../anonchat/web/static/attention.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";
import { drawer } from "./environment.mjs";
import { Room } from "./room.mjs";

function scene(read) {
  const room = new Room();
  const kept = drawer();
  if (read !== undefined) kept.set("read", read);
  let attention = null;
  const store = createStore({}, (...happened) => attention.happened(...happened));
  attention = new Attention(store, kept);
  const come = () => {
    store.apply("identified", { sessionId: "me", room: {} });
    store.apply("history_chunk", { ...room.page(), recovered: false });
    store.apply("caught_up", { recovered: false, missed: 0 });
  };
  const say = (text) => store.apply("message", room.say("p1", text));
  return { room, kept, attention, come, say };
}

test("25 a page that is loaded in the background knows what was read before", () => {
  const { room, attention, kept, come } = scene(2);
  for (const text of ["one", "two", "three"]) room.say("p1", text);
  attention.look(false, false); // before anything came
  come();
  assert.deepEqual([attention.unread.value, attention.line.value, kept.get("read")], [1, 2, 2]);
});

test("25 to who comes for the first time, and looks elsewhere, only what is said from then on is new", () => {
  const { room, attention, come, say } = scene();
  room.say("p1", "before");
  attention.look(false, false);
  come();
  assert.equal(attention.unread.value, 0);
  say("now");
  assert.deepEqual([attention.unread.value, attention.line.value], [1, 1]);
});

test("25 who looks at an empty room and then elsewhere is told of what is said", () => {
  const { attention, come, say } = scene();
  come();
  attention.look(false, false);
  say("now");
  assert.equal(attention.unread.value, 1);
});

test("25 who looks before anything came has read no more than before", () => {
  const { attention, kept } = scene(2);
  attention.look(false, false);
  attention.look(true, true);
  assert.equal(kept.get("read"), 2);
});

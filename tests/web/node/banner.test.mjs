/** What the banner says of the connection. */

import assert from "node:assert/strict";
import { test } from "node:test";

const every = setInterval;
globalThis.setInterval = (...given) => every(...given).unref(); // the clock of the page runs for ever
const { sentence } = await import("../../../anonchat/web/static/view/banner.mjs");

const offline = (reason, restarts = false) => ({ kind: "offline", until: 0, restarts, reason });

for (const [reason, told] of [
  ["connection lost", "Offline."],
  ["the server is silent", "Offline."],
  ["room_full", "This room is full. Try again when somebody has left."],
  ["storage_unavailable", "The server cannot store anything now. What you wrote stays here; try again later."],
  ["overloaded", "The server is busy. Try again in a moment."],
]) {
  test(`21 a lost connection for "${reason}" is told as "${told}"`, () => {
    assert.equal(sentence(offline(reason), 0), told);
  });
}

test("21 a restart is one, whatever else is said, and what waits is counted", () => {
  assert.equal(sentence(offline("going_away", true), 2), "The server restarts. 2 messages wait and go by themselves.");
});

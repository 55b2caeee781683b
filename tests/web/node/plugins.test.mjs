/** What plugins keep in the state of a room is, after any drops and replays, what a client has that has just come. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "../../../anonchat/web/static/protocol/chat.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";
import { drawer, Environment, seeded, settled } from "./environment.mjs";
import { PARTS, PluggedRoom } from "./plugged.mjs";

const RUNS = 150;
const ACTS = 100;
const LIVE = 40; // acts at the end, without a drop
const SECRECIES = ["open", "hidden", "secret"];

async function chatIn(room, random) {
  let last = null;
  const environment = new Environment(random, (socket) => {
    last = socket;
    room.accept(socket);
  });
  const chat = new Chat(environment, { url: "ws://room", token: "t" }, createStore(PARTS), drawer());
  chat.start();
  await settled();
  return { chat, environment, cut: () => room.cut(last) };
}

/** One thing that happens in the room, chosen by chance. */
function act(room, random) {
  const any = (all) => all[Math.floor(random() * all.length)];
  const message = any([...room.messages.values()].filter((wire) => wire.deletedAt === undefined));
  const poll = any([...room.polls.values()]);
  const acts = [
    () => room.say("p1", `text ${random()}`), () => room.mention("p2"), () => room.mention("p1"), () => room.hold(),
    () => room.ask("p1", any(SECRECIES)), () => room.govern({ preset: any(["relaxed", "strict"]), panic: random() < 0.5 }),
    () => room.mute(random() < 0.5 ? null : "2026-11-20T21:00:00.000Z"), () => room.report(Math.floor(random() * 3)),
    ...(message && message.content.type === "text" ? [() => room.edit(message.id, `changed ${random()}`)] : []),
    ...(message ? [() => room.pin(message.id), () => room.unpin(message.id), () => room.delete(message.id)] : []),
    ...(message && random() < 0.3 ? [() => room.remove({ throughSeq: message.seq, reason: "retention" })] : []),
    ...(poll ? [() => room.vote(poll.pollId, any(["me", "p1", "p2"]), any(["1", "2"])), () => room.vote(poll.pollId, "me", "1")] : []),
    ...(poll && random() < 0.3 ? [() => room.close(poll.pollId)] : []),
    ...(room.inbox.size > 0 ? [() => room.read(any([...room.inbox.keys()]))] : []),
    ...(room.heldMessages.size > 0 ? [() => room.decide(any([...room.heldMessages.keys()]), random() < 0.5)] : []),
  ];
  any(acts)();
}

/**
 * What of the plugins can be seen. Of polls: those whose message is known, and without one's own votes where the poll is
 * closed, for then the server tells them to nobody any more.
 */
function seen(state, known) {
  const polls = Object.values(state.polls).filter(({ messageId }) => known.has(messageId));
  return {
    pins: Object.entries(state.pins.all).map(([id, { ext, ...wire }]) => [id, wire]), // what is added stands in history alone
    polls: polls.map(({ optionIds, voted, ...poll }) => (poll.closedAt === null ? { ...poll, optionIds, voted } : poll)).sort((one, other) => one.pollId.localeCompare(other.pollId)),
    notifications: state.notifications,
    moderation: state.moderation,
  };
}

test("any order of drops and replays ends in what a fresh client has of the plugins", async () => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const random = seeded(seed);
    const room = new PluggedRoom();
    room.meanwhile = () => random() < 0.5 && act(room, random);
    const { chat, environment, cut } = await chatIn(room, random);
    for (let count = 0; count < ACTS; count += 1) {
      act(room, random);
      const chance = random();
      if (chance < 0.08) cut();
      else if (chance < 0.14) await environment.pass(random() * 40_000);
      else if (chance < 0.17) chat.older().catch(() => {});
      await settled();
    }
    await environment.pass(200_000);
    chat.wake();
    await environment.pass(100);
    assert.equal(chat.status.value.kind, "online");
    delete room.meanwhile;
    for (let count = 0; count < LIVE; count += 1) act(room, random); // heard as it happens, and repaired by no welcome
    await settled();
    const fresh = await chatIn(room, seeded(seed));
    const known = new Set(fresh.chat.store.state.value.messages.list.map((wire) => wire.id));
    assert.deepEqual(seen(chat.store.state.value, known), seen(fresh.chat.store.state.value, known), `seed ${seed}`);
    chat.close();
    fresh.chat.close();
  }
});

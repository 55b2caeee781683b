/** What a call from the system says of each kind of notification, and of what came while there was no connection. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { effect, signal } from "../../../anonchat/web/static/vendor/signals-core.mjs";
import { Chat } from "../../../anonchat/web/static/protocol/chat.mjs";
import { PluginApi, Registry } from "../../../anonchat/web/static/registry.mjs";
import { removal } from "../../../anonchat/web/static/state/messages.mjs";
import * as selectors from "../../../anonchat/web/static/state/selectors.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";
import { addTexts, speak, t } from "../../../anonchat/web/static/texts/catalogue.mjs";
import { callerOf } from "../../../plugins/notifications/anonchat_notifications/static/calls.mjs";
import register from "../../../plugins/notifications/anonchat_notifications/static/notifications.mjs";
import { systemOf } from "../../../plugins/notifications/anonchat_notifications/static/system.mjs";
import { texts } from "../../../plugins/notifications/anonchat_notifications/static/texts.mjs";
import { drawer, Environment, seeded, settled } from "./environment.mjs";
import { PluggedRoom } from "./plugged.mjs";

const POLL = { id: "m1", authorUsername: "Ann", excerpt: "Tea or coffee?" };
const NOTED = [
  { id: "n1", type: "mention", message: { ...POLL, excerpt: "hi" } },
  { id: "n2", type: "votes", voters: 1, message: POLL },
  { id: "n3", type: "votes", voters: 3, message: POLL },
  { id: "n4", type: "moderation", act: "dropped" },
];

/** The titles of all that is called from now on. */
function called() {
  const told = [];
  globalThis.Notification = class {
    static permission = "granted";
    constructor(title) {
      told.push(title);
    }
  };
  return told;
}

/** The titles of the calls for `NOTED`, by somebody who is away and has allowed them. */
function titles() {
  const told = called();
  const room = { attention: { isLooking: { value: false } } };
  const api = { t, room: () => room, selectors: {}, client: { settings: { value: { sound: false } } } };
  const call = callerOf(api, () => ({ get: () => undefined }), () => ({ once: (_, now) => now() }), systemOf({ signal }));
  for (const one of NOTED) call.noted(one);
  return told;
}

test("26 a call says how many voted, and what was done", async () => {
  addTexts(texts);
  assert.deepEqual(titles(), ["Ann mentions you", "1 vote on your poll", "3 votes on your poll", "A moderator or a rule: a message of yours was not shown"]);
  await speak("de");
  assert.deepEqual(titles(), ["Ann erwähnt dich", "1 Stimme in deiner Umfrage", "3 Stimmen in deiner Umfrage", "Moderation oder Regel: eine Nachricht von dir wurde nicht gezeigt"]);
});

/** Somebody who looks elsewhere, and is called in a room for what is `wanted`; `rings` are the titles of the calls. */
async function scene(wanted) {
  await speak("en");
  const [room, registry, rings] = [new PluggedRoom(), new Registry(), called()];
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true }); // without locks: this is the only tab
  const stay = { roomId: "r", attention: { isLooking: signal(false) } };
  const given = { t, removal, selectors, signal, effect, room: () => stay, client: { settings: signal({}) }, components: {} };
  register(new PluginApi(registry, "notifications", { ...given, drawer: () => () => ({ get: () => wanted }) }));
  let socket = null;
  const environment = new Environment(seeded(1), (dialled) => room.accept((socket = dialled)));
  const store = createStore(registry.reducers, (...happened) => registry.happened(...happened));
  const chat = new Chat(environment, { url: "ws://room", token: "t" }, store, drawer());
  room.mention("ann"); // before one came
  room.say("ann", "hello");
  chat.start();
  await settled();
  assert.deepEqual(rings, []);
  return { room, chat, rings, away: () => room.cut(socket), back: () => environment.pass(60_000) };
}

const MENTION = { content: { type: "text", text: "@Me", mentionIds: ["me"] } };

/** Mention somebody as the server does: by an entry and in the message itself. */
function mention(room, author) {
  room.mention(author);
  Object.assign([...room.messages.values()].at(-1), MENTION);
}

for (const [wanted, told] of [["mentions", ["bob mentions you"]], ["all", ["2 messages came while you were away"]], ["none", []]]) {
  test(`27 a mention that came while there was no connection calls, where ${wanted} is wanted`, async () => {
    const { room, chat, rings, away, back } = await scene(wanted);
    away();
    mention(room, "bob");
    room.say("ann", "and this");
    await back();
    assert.deepEqual(rings, told);
    away();
    await back();
    assert.deepEqual(rings, told);
    chat.close();
  });
}

test("27 several things that were missed call once", async () => {
  const { room, chat, rings, away, back } = await scene("mentions");
  away();
  mention(room, "ann");
  mention(room, "bob");
  await back();
  assert.deepEqual(rings, ["2 things that concern you came while you were away"]);
  mention(room, "bob");
  await settled();
  assert.deepEqual(rings.slice(1), ["bob mentions you"]);
  chat.close();
});

for (const [wanted, told] of [["mentions", ["bob mentions you"]], ["all", ["At least 50 messages came while you were away", "bob mentions you"]]]) {
  test(`27 more than is told again calls, too, where ${wanted} is wanted`, async () => {
    const { room, chat, rings, away, back } = await scene(wanted);
    away();
    mention(room, "bob");
    for (let count = 0; count < 301; count += 1) room.say("ann", "much");
    await back();
    assert.deepEqual(rings, told);
    chat.close();
  });
}

/** A plugin that throws is told of in the console, and ends nothing for anybody. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Chat } from "../../../anonchat/web/static/protocol/chat.mjs";
import { PluginApi, Registry } from "../../../anonchat/web/static/registry.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";
import { drawer, Environment, seeded, settled } from "./environment.mjs";
import { Room } from "./room.mjs";

const { error } = console;
const broken = () => {
  throw new Error("broken");
};
let told = [];

beforeEach(() => {
  told = [];
  console.error = (...said) => told.push(said[0]);
});
afterEach(() => (console.error = error));

for (const event of ["identified", "message", "caught_up"]) {
  test(`what a plugin does on ${event} may throw, and so may its reducer`, async () => {
    const [room, registry, heard] = [new Room(), new Registry(), []];
    const api = new PluginApi(registry, "worse", {});
    api.reducer({ initial: "as it was", apply: broken });
    api.on(event, broken);
    new PluginApi(registry, "better", {}).on(event, (data) => heard.push(data));
    const store = createStore(registry.reducers, (...happened) => registry.happened(...happened));
    const environment = new Environment(seeded(1), (socket) => room.accept(socket));
    const chat = new Chat(environment, { url: "ws://room", token: "t" }, store, drawer());
    chat.start();
    await settled();
    room.say("ann", "hello");
    await settled();
    assert.deepEqual([chat.status.value.kind, store.state.value.messages.list.length, store.state.value.worse], ["online", 1, "as it was"]);
    assert.equal(heard.length, 1);
    assert.deepEqual(new Set(told), new Set(["the web module of worse has failed"]));
    chat.close();
  });
}

test("whatever is asked of what it added has an answer", () => {
  const registry = new Registry();
  const api = new PluginApi(registry, "worse", {});
  api.renderer(broken, () => null);
  api.add("panels", { id: "worse", fits: broken, label: broken, count: broken, component: () => null });
  api.add("creation", { component: () => null, settings: broken });
  const [[renderer], [panel], [creation]] = [registry.renderers, registry.panels, registry.creation];
  assert.deepEqual([renderer.fits({}), panel.fits({}), panel.label(), panel.count({})], [false, false, "", 0]);
  assert.equal(told.length, 4);
  assert.throws(() => creation.settings({})); // else a room would be made without them
});

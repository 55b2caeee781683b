/** The example of docs/plugin-web.md, and the test of it that stands there, as they stand there. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { PluginApi, Registry } from "../../../anonchat/web/static/registry.mjs";
import { createStore } from "../../../anonchat/web/static/state/store.mjs";
import { t } from "../../../anonchat/web/static/texts/catalogue.mjs";
import { html } from "../../../anonchat/web/static/ui.mjs";
import { Icon } from "../../../anonchat/web/static/view/icons.mjs";

const page = readFileSync(new URL("../../../docs/plugin-web.md", import.meta.url), "utf8");
const folder = mkdtempSync(join(tmpdir(), "anonchat-page-"));
after(() => rmSync(folder, { recursive: true }));

/** Write the block of the page that begins with the name of a file. */
function written(name) {
  const [, block] = page.match(new RegExp("```js\\n(// " + name + "\\b[^]*?)```"));
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, block);
  return path;
}

const module = written("static/stars.mjs");

test("the test of the page passes", () => {
  const { NODE_TEST_CONTEXT, ...environment } = process.env; // else it takes itself for a part of this run
  const told = execFileSync(process.execPath, ["--test", "--test-reporter=tap", written("tests/stars.test.mjs")], { encoding: "utf8", env: environment });
  assert.match(told, /^# pass 1$/m);
});

test("the module shows stars of history, replays and live events, and no edit or older page undoes them", async () => {
  const { default: register } = await import(module);
  const registry = new Registry();
  const asked = [];
  const room = () => ({ act: (event, data) => asked.push([event, data]) });
  register(new PluginApi(registry, "stars", { html, t, room }));
  const store = createStore(registry.reducers);
  const [{ component }] = registry.marks;
  const mark = (message) => component({ message, state: store.state.value })?.props.children ?? null;
  const wire = (id, seq, count) => ({ id, seq, content: { type: "text", text: id }, ...(count ? { ext: { stars: { count } } } : {}) });

  store.apply("history_chunk", { recovered: false, messages: [wire("b", 2, 1), wire("c", 3)], hasMore: true, seq: 3 });
  store.apply("stars.changed", { messageId: "a", count: 5 }, { seq: 4 });
  store.apply("message_edited", { message: { ...wire("b", 2), changedSeq: 5 } }, { seq: 5 });
  store.apply("history_chunk", { messages: [wire("a", 1, 4)], hasMore: false, seq: 3 });
  store.apply("message", wire("d", 6, 2), { seq: 6 });
  assert.deepEqual(["a", "b", "c", "d"].map((id) => mark(wire(id))), ["5 stars", "1 star", null, "2 stars"]);

  const [action] = registry.messageActions;
  action.run(wire("b", 2));
  assert.deepEqual(asked, [["stars.give", { messageId: "b" }]]);
  assert.equal(Icon({ name: action.icon }).props.children.props.d, action.icon);
  assert.notEqual(Icon({ name: "dice" }).props.children.props.d, "dice");
});

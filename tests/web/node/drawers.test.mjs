/** What is kept where storage is forbidden or full: all of it, as long as the page is there. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Drawers } from "../../../anonchat/web/static/browser/drawers.mjs";
import { storage } from "./environment.mjs";

const full = () => {
  const small = storage();
  Object.getPrototypeOf(small).setItem = () => { throw new Error("full"); };
  return small;
};

for (const [kind, tab] of [["forbidden", undefined], ["full", full()]]) {
  test(`where storage is ${kind} a drawer keeps things as long as the page is there`, () => {
    const drawers = new Drawers(tab, tab);
    const drawer = drawers.named("room r");
    drawer.set("secret", "s");
    drawers.named("room s").set("secret", "other");
    assert.equal(drawer.get("secret"), "s");
    drawer.set("secret", undefined);
    assert.equal(drawer.get("secret"), undefined);
    drawer.set("secret", "again");
    drawer.clear();
    assert.equal(drawer.get("secret"), undefined);
    assert.equal(drawers.named("room s").get("secret"), "other");
    drawers.keep(true);
    assert.equal(drawers.look(), false, "nothing is promised that is not so");
  });
}

test("what is too large for a storage stands before what is in it, until the storage takes it", () => {
  const tab = storage();
  const drawer = new Drawers(tab, undefined).named("room r");
  drawer.set("draft", "old");
  const { setItem } = tab;
  tab.setItem = () => { throw new Error("full"); };
  drawer.set("draft", "large");
  assert.equal(drawer.get("draft"), "large");
  tab.setItem = setItem;
  drawer.set("draft", "small");
  assert.deepEqual([drawer.get("draft"), tab["anonchat:room r:draft"]], ["small", '"small"']);
});

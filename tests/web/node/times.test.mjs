/** Lengths of time: what counts down is told about, what is a rule exactly. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { speak, t } from "../../../anonchat/web/static/texts/catalogue.mjs";
import { span } from "../../../anonchat/web/static/texts/times.mjs";
import { lifeOf } from "../../../anonchat/web/static/view/facts.mjs";

const HOUR = 3_600;
const DAY = 24 * HOUR;
const rule = { isExact: true, isAfter: true };

test("38 what counts down is told about", () => {
  const told = [1, 59.7, 90, 120, 5_399, 2.5 * HOUR, DAY, 60 * HOUR].map((seconds) => span(seconds));
  assert.deepEqual(told, ["1 second", "1 minute", "90 seconds", "2 minutes", "90 minutes", "3 hours", "1 day", "3 days"]);
});

test("40 what a room promises is told exactly", () => {
  const told = [90, 600, HOUR, 2.5 * HOUR, DAY, 60 * HOUR, 7 * DAY, DAY + 1].map((seconds) => span(seconds, rule));
  assert.deepEqual(told, ["90 seconds", "10 minutes", "1 hour", "150 minutes", "1 day", "60 hours", "7 days", "86,401 seconds"]);
  const [goes, , grace] = lifeOf({ retentionSeconds: 60 * HOUR, purgeGraceSeconds: 2.5 * HOUR });
  assert.deepEqual([goes, grace], ["Messages go after 60 hours.", "After the end what is left is deleted within 150 minutes."]);
});

test("38 lengths and numbers of times have their forms in each language", async () => {
  const used = () => [[1, 1], [1, 10]].map(([uses, count]) => t("invites.usesOf", { uses, count }));
  assert.deepEqual(used(), ["Used 1 of 1 time.", "Used 1 of 10 times."]);
  await speak("de");
  assert.deepEqual(lifeOf({ retentionSeconds: 7 * DAY })[0], "Nachrichten verschwinden nach 7 Tagen.");
  assert.deepEqual([DAY, 2 * HOUR, 600, 5].map((seconds) => span(seconds, rule)), ["1 Tag", "2 Stunden", "10 Minuten", "5 Sekunden"]);
  assert.equal(span(7 * DAY), "7 Tage");
  assert.deepEqual(used(), ["1 von 1 Mal benutzt.", "1 von 10 Malen benutzt."]);
  await speak("en");
});

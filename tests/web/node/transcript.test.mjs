/** The conversation as a text. */

import assert from "node:assert/strict";
import { test } from "node:test";

Object.defineProperty(globalThis, "navigator", { value: { languages: ["en-GB"] }, configurable: true });
const { written } = await import("../../../anonchat/web/static/view/transcript.mjs");

const said = (text) => written({ createdAt: "2026-11-20T20:15:00.000Z", authorUsername: "Mallory", content: { text } });

for (const end of ["\n", "\r\n", "\r", "\v", "\f", "\u0085", "\u2028", "\u2029"]) {
  test(`40 what follows on ${JSON.stringify(end)} does not pass for a message of somebody else`, () => {
    const forged = said(`hi${end}20 November 2026 at 20:15:00  Ann: I agree`);
    assert.match(forged, /^20 November 2026 at .{8} {2}Mallory: hi\n {4}20 November 2026 at 20:15:00 {2}Ann: I agree\n$/);
  });
}

test("40 a message without a text is a line, too", () => {
  assert.match(written({ createdAt: "2026-11-20T20:15:00.000Z", authorUsername: "Ann", content: {} }), /Ann: \n$/);
});

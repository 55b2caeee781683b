/** Texts: the subset of Markdown, links and codes, completion, the rows of a conversation, and the catalogue. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

const STATIC = "../../../anonchat/web/static";
const { parse } = await import(`${STATIC}/text/markdown.mjs`);
const { parseLink } = await import(`${STATIC}/text/links.mjs`);
const { complete } = await import(`${STATIC}/text/completion.mjs`);
const { rowsOf, windowOf } = await import(`${STATIC}/view/rows.mjs`);
const { en } = await import(`${STATIC}/texts/en.mjs`);
const { de } = await import(`${STATIC}/texts/de.mjs`);
const { t } = await import(`${STATIC}/texts/catalogue.mjs`);

const inline = (text, names) => parse(text, names)[0].children;

test("marks become elements, and what is not closed stays text", () => {
  assert.deepEqual(inline("a **b *c* d** `e*f*`"), [
    "a ", { kind: "strong", children: ["b ", { kind: "emphasis", children: ["c"] }, " d"] }, " ", { kind: "code", text: "e*f*" },
  ]);
  for (const text of ["2 * 3 * 4", "**open", "snake_case_name", "`open", "* a", "<b>x</b>", "&lt;"]) {
    assert.deepEqual(parse(text).flatMap((block) => block.children ?? block.items.flat()).join(""), text.replace(/^\* /, ""));
  }
});

test("blocks: code as it is, quotes, lists, paragraphs", () => {
  const blocks = parse("a\n```js\n**b**\n```\n> c\n- d\n- e\nf");
  assert.deepEqual(blocks.map(({ kind }) => kind), ["paragraph", "code", "quote", "list", "paragraph"]);
  assert.equal(blocks[1].text, "**b**");
});

test("only web addresses are links, and they show where they lead", () => {
  assert.deepEqual(inline("see https://a.example/x?y=1."), ["see ", { kind: "link", href: "https://a.example/x?y=1", text: "https://a.example/x?y=1" }, "."]);
  for (const text of ["javascript:alert(1)", "data:text/html,x", "[x](https://a.example)", "xhttps://a.example", "http://"]) {
    assert.ok(inline(text).every((node) => node.kind !== "link" || node.href.startsWith("https://a.example")), text);
  }
});

for (const [written, shown] of [
  ["https://A.example/\u05d0/B?c#d", "https://A.example/\u05d0/B?c#d"],
  ["https://a.example:8080", "https://a.example:8080"],
  ["https://bank.example@evil.example/x", "https://evil.example/x"],
  ["https://bank.example\u2215x.evil.example", "https://bank.xn--examplex-4f7d.evil.example/"],
  ["https://b\u0430nk.example/x", "https://xn--bnk-6cd.example/x"],
  ["https://\u05d0\u05d1.\u05d2\u05d3/\u05d4\u05d5", "https://xn--4dbc.xn--6dbc/%D7%94%D7%95"],
  ["https:///evil.example", "https://evil.example/"],
  ["https://3232235777/x", "https://192.168.1.1/x"],
]) {
  test(`a link reads as the address to which it leads: ${JSON.stringify(written)}`, () => {
    const [node] = inline(written);
    assert.deepEqual(node, { kind: "link", href: written, text: shown });
  });
}

for (const sign of ["\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069"]) {
  test(`no link goes on behind ${JSON.stringify(sign)}, which turns the direction around, and the text stays`, () => {
    assert.deepEqual(inline(`https://${sign}@evil.example/moc.knab`), [`https://${sign}@evil.example/moc.knab`]);
    assert.deepEqual(inline(`https://a.example/x${sign}y`), [{ kind: "link", href: "https://a.example/x", text: "https://a.example/x" }, `${sign}y`]);
  });
}

test("only those who are mentioned are marked, the longest name first", () => {
  const found = inline("@Ann @Ann Maria @Bob @Anna", ["Ann", "Ann Maria"]).filter((node) => node.kind === "mention");
  assert.deepEqual(found.map(({ text }) => text), ["@Ann", "@Ann Maria"]);
});

for (const bomb of ["*", "**", "`", "_a", "**a ", "> ", "- *", "https://", "~~", "*a* ", "@A", "```\n"]) {
  test(`a bomb of ${JSON.stringify(bomb)} is parsed at once`, () => {
    const began = process.cpuUsage(); // a busy machine makes nothing of it slower
    parse(bomb.repeat(Math.floor(60_000 / bomb.length)), ["A"]);
    assert.ok(process.cpuUsage(began).user < 1_000_000);
  });
}

test("links and codes lead into rooms of this server only", () => {
  const origin = "https://chat.example";
  const room = { roomId: "abc-1", secret: "s_-1" };
  for (const text of ["abc-1#s_-1", " https://chat.example/r/abc-1#s_-1\n", "https://chat.example/r/abc-1/#s_-1"]) {
    assert.deepEqual(parseLink(text, origin), room);
  }
  for (const text of ["", "abc", "https://evil.example/r/abc-1#s", "https://chat.example/r/abc-1", "https://chat.example/x#s", "https://chat.example/r/abc-1#s%"]) {
    assert.equal(parseLink(text, origin), null, text);
  }
});

test("completion begins at a mark and ends with a whole name", () => {
  const known = { people: ["Ann Maria", "Bob"], commands: [{ name: "leave", label: "Leave" }] };
  assert.deepEqual(complete("hi @an", known), { start: 3, options: [{ label: "Ann Maria", insert: "@Ann Maria " }] });
  assert.equal(complete("hi @Bob", known), null);
  assert.equal(complete("a@an", known), null);
  assert.equal(complete("hi /le", known), null);
  assert.equal(complete("/le", known).options.length, 1);
});

test("rows are grouped by author, day and time, and the line stands before what is new", () => {
  const wire = (seq, author, time) => ({ id: `m${seq}`, seq, authorSessionId: author, createdAt: new Date(time).toISOString() });
  const noon = new Date(2026, 10, 20, 12).getTime();
  const list = [wire(1, "a", noon), wire(2, "a", noon + 60_000), wire(3, "a", noon + 600_000), wire(4, "b", noon + 600_000)];
  const rows = rowsOf(list, { line: 3 });
  assert.deepEqual(rows.map((row) => (row.isFirst ? "first" : row.kind)), ["day", "first", "message", "first", "line", "first"]);
});

test("the window is around what one looks at, and at the end if that is the newest", () => {
  const list = Array.from({ length: 500 }, (_, index) => ({ seq: 2 * index }));
  assert.deepEqual(windowOf(list, null, 100), { start: 400, end: 500 });
  assert.deepEqual(windowOf(list, 201, 100), { start: 101, end: 201 });
});

const forms = (text) => (typeof text === "string" ? [text] : Object.values(text));
const values = (text) => [...new Set(forms(text).flatMap((form) => form.match(/\{\w+\}/g) ?? []))].sort();

const plugins = new URL("../../../plugins/", import.meta.url);
const catalogues = [{ en, de }];
for (const path of readdirSync(plugins, { recursive: true }).filter((one) => one.endsWith("static/texts.mjs"))) {
  catalogues.push((await import(new URL(path, plugins))).texts);
}

test("every language has every text, with the same values in it", () => {
  assert.ok(catalogues.length > 1);
  for (const { en: english, de: german } of catalogues) {
    assert.deepEqual(Object.keys(german), Object.keys(english));
    for (const key of Object.keys(english)) assert.deepEqual(values(german[key]), values(english[key]), key);
  }
});

test("only a value that runs from right to left is isolated", () => {
  for (const name of ["Alice", "❤️", "1️⃣ ☀︎"]) assert.equal(t("{name} came", { name }), `${name} came`);
  for (const name of ["מאיה", "سلمى", "\ufb2aalom", "\ufdf2", "\ufefb"]) {
    assert.equal(t("{name} came", { name }), `\u2068${name}\u2069 came`);
  }
});

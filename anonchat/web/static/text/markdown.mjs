/**
 * A small, safe subset of Markdown, as a tree; nothing here knows HTML. Linear in the length of the text.
 *
 * Blocks: `{kind: "paragraph" | "quote" | "list" | "code", ...}`. Inline: texts, and `{kind: "strong" | "emphasis" |
 * "strike" | "code" | "link" | "mention", ...}`. Links have their own address for a text: nobody can hide where one leads.
 */

const FENCE = /^```\s*(\S{0,20})\s*$/;
const QUOTE = /^>\s?/;
const ITEM = /^[-*]\s+(?=\S)/;
const DEEPEST = 4;
const LINK = /^https?:\/\/[^\s<>"`\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/; // signs that turn the direction around end it
const AFTER_LINK = /[.,;:!?'*_~]+$/;
const MARKS = [["**", "strong"], ["~~", "strike"], ["*", "emphasis"], ["_", "emphasis"]];
const LETTER = /[\p{L}\p{N}_]/u;

/** The blocks of a text. `names` are those that it mentions. */
export function parse(text, names = []) {
  const lines = text.split("\n");
  const mention = mentionPattern(names);
  const blocks = [];
  while (lines.length > 0) blocks.push(...block(lines, mention));
  return blocks;
}

function mentionPattern(names) {
  const escaped = [...names].sort((one, other) => other.length - one.length)
    .map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return escaped.length === 0 ? null : new RegExp(`@(?:${escaped.join("|")})(?![\\p{L}\\p{N}])`, "giu");
}

/** Takes the lines of one block away. */
function block(lines, mention) {
  const fence = FENCE.exec(lines[0]);
  if (fence !== null && lines.length > 1) {
    lines.shift();
    const code = takeWhile(lines, (line) => !/^```\s*$/.test(line));
    lines.shift();
    return [{ kind: "code", language: fence[1], text: code.join("\n") }];
  }
  for (const [pattern, kind] of [[QUOTE, "quote"], [ITEM, "list"]]) {
    const taken = takeWhile(lines, (line) => pattern.test(line)).map((line) => line.replace(pattern, ""));
    if (taken.length > 0) return [{ kind, items: taken.map((line) => inline(line, mention)) }];
  }
  const plain = [lines.shift(), ...takeWhile(lines, (line) => ![FENCE, QUOTE, ITEM].some((pattern) => pattern.test(line)))];
  return [{ kind: "paragraph", children: inline(plain.join("\n").replace(/^\n+|\n+$/g, ""), mention) }];
}

function takeWhile(lines, isPart) {
  const end = lines.findIndex((line) => !isPart(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

/** What stands in a line. */
function inline(text, mention, depth = 0) {
  const found = [];
  const missing = new Set(); // marks that are not closed any more: looked for once, so that the whole stays linear
  let plain = 0;
  let at = 0;
  const take = (node, end) => {
    if (plain < at) found.push(...mentions(text.slice(plain, at), mention));
    found.push(node);
    at = plain = end;
  };
  while (at < text.length) {
    const node = code(text, at, missing) ?? link(text, at) ?? marked(text, at, missing, mention, depth);
    if (node === null) at += 1;
    else take(node.node, node.end);
  }
  if (plain < at) found.push(...mentions(text.slice(plain), mention));
  return found;
}

function closing(text, mark, from, missing) {
  if (missing.has(mark)) return -1;
  const end = text.indexOf(mark, from);
  if (end < 0) missing.add(mark);
  return end;
}

function code(text, at, missing) {
  if (text[at] !== "`") return null;
  const end = closing(text, "`", at + 1, missing);
  return end > at + 1 ? { node: { kind: "code", text: text.slice(at + 1, end) }, end: end + 1 } : null;
}

function link(text, at) {
  if (text[at] !== "h" || (at > 0 && LETTER.test(text[at - 1]))) return null;
  const found = LINK.exec(text.slice(at, at + 2_048));
  if (found === null) return null;
  let address = found[0].replace(AFTER_LINK, "");
  if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
  return URL.canParse(address) ? { node: { kind: "link", href: address, text: readable(address) }, end: at + address.length } : null;
}

/** An address as it was written, if that begins with where it leads; else as browsers ask for it, without a user's name. */
function readable(address) {
  const { origin, pathname, search, hash } = new URL(address);
  const isPlain = address.toLowerCase().startsWith(origin) && /^([/?#]|$)/.test(address.slice(origin.length));
  return isPlain ? address : origin + pathname + search + hash;
}

function marked(text, at, missing, mention, depth) {
  if (depth >= DEEPEST) return null;
  for (const [mark, kind] of MARKS) {
    if (!text.startsWith(mark, at) || (mark === "_" && at > 0 && LETTER.test(text[at - 1]))) continue;
    const from = at + mark.length;
    const end = closing(text, mark, from + 1, missing);
    const isWhole = end > 0 && text[from].trim() !== "" && text[end - 1].trim() !== "" && !(mark === "_" && LETTER.test(text[end + 1] ?? ""));
    if (isWhole) return { node: { kind, children: inline(text.slice(from, end), mention, depth + 1) }, end: end + mark.length };
  }
  return null;
}

function mentions(text, mention) {
  if (mention === null) return [text];
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(mention)) {
    if (found.index > end) parts.push(text.slice(end, found.index));
    parts.push({ kind: "mention", text: found[0] });
    end = found.index + found[0].length;
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}

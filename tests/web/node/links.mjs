/** Which hosts the links lead to that the web client makes of texts: a list of texts in, a list of hosts for each out. */

import { readFileSync } from "node:fs";

const { parse } = await import("../../../anonchat/web/static/text/markdown.mjs");

function links(node) {
  if (node.kind === "link") return [new URL(node.href).hostname];
  return [...(node.children ?? []), ...(node.items ?? []).flat()].flatMap(links);
}

const texts = JSON.parse(readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify(texts.map((text) => parse(text).flatMap(links))));

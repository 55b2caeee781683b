/** The text of a message as elements; made of the tree of `text/markdown.mjs`, never of HTML. */

import { html } from "../ui.mjs";
import { parse } from "../text/markdown.mjs";

const INLINE = {
  strong: ({ children }) => html`<strong>${children.map(inline)}</strong>`,
  emphasis: ({ children }) => html`<em>${children.map(inline)}</em>`,
  strike: ({ children }) => html`<del>${children.map(inline)}</del>`,
  code: ({ text }) => html`<code dir="ltr">${text}</code>`,
  link: ({ href, text }) => html`<a href=${href} target="_blank" rel="noopener noreferrer nofollow" dir="ltr">${text}</a>`,
  mention: ({ text }) => html`<span class="mention">${text}</span>`,
};

const BLOCKS = {
  paragraph: ({ children }) => html`<p dir="auto">${children.map(inline)}</p>`,
  quote: ({ items }) => html`<blockquote dir="auto">${items.map((item) => html`<p>${item.map(inline)}</p>`)}</blockquote>`,
  list: ({ items }) => html`<ul dir="auto">${items.map((item) => html`<li>${item.map(inline)}</li>`)}</ul>`,
  code: ({ text }) => html`<pre dir="ltr" tabindex="0"><code>${text}</code></pre>`,
};

const inline = (node) => (typeof node === "string" ? node : INLINE[node.kind](node));

/** `names` are those that the text mentions. */
export const Rich = ({ text, names = [] }) => html`<div class="rich">${parse(text, names).map((block) => BLOCKS[block.kind](block))}</div>`;

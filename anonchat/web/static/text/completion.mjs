/** What may be meant by what is being written: people after `@`, emoji after `:`, commands after `/`. Pure. */

import { EMOJI } from "./emoji.mjs";

const MOST = 8;
const PATTERN = /(^|\s)([@:/])([\p{L}\p{N}_ -]{0,32})$/u;

/** `{start, options: [{label, insert}]}` for the text before the caret, or null. `commands` are `{name, label}`. */
export function complete(before, { people, commands }) {
  const found = PATTERN.exec(before);
  if (found === null) return null;
  const [, space, mark, typed] = found;
  const start = found.index + space.length;
  if (mark === "/" && start > 0) return null;
  const options = { "@": () => names(typed, people), ":": () => emoji(typed), "/": () => known(typed, commands) }[mark]();
  return options.length === 0 ? null : { start, options: options.slice(0, MOST) };
}

function names(typed, people) {
  const fits = people.filter((name) => name.toLowerCase().startsWith(typed.toLowerCase()));
  const isWhole = fits.length === 1 && fits[0].toLowerCase() === typed.toLowerCase().trimEnd();
  return isWhole ? [] : fits.map((name) => ({ label: name, insert: `@${name} ` }));
}

function emoji(typed) {
  if (typed.length < 2 || typed.includes(" ")) return [];
  return EMOJI.filter(([name]) => name.startsWith(typed.toLowerCase())).map(([name, sign]) => ({ label: `${sign} ${name}`, insert: `${sign} ` }));
}

function known(typed, commands) {
  return commands.filter(({ name }) => name.startsWith(typed)).map(({ name, label }) => ({ label: `/${name} · ${label}`, insert: `/${name} ` }));
}

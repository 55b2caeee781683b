/**
 * Every text that people read, in every language, by its key: `t("join.title", {name})`.
 *
 * Keys of sentences that the server says are those sentences: only other languages have them, `said`.
 *
 * A text may hold `{name}` for a value; one that depends on a number is an object by plural form, chosen by `count`.
 * Values in another direction than the language are isolated, so that a name does not turn the sentence around.
 */

import { signal } from "../vendor/signals-core.mjs";
import { en } from "./en.mjs";

const LOADERS = { en: async () => en, de: german };
const RIGHT_TO_LEFT_LETTERS = /[\u0590-\u08ff\u200f\u202b\u202e\u2067\ufb1d-\ufdff\ufe70-\ufefc]/;
const RIGHT_TO_LEFT = /^(ar|fa|he|ur)\b/;

async function german() {
  const [{ de }, { said }] = await Promise.all([import("./de.mjs"), import("./said.de.mjs")]);
  return { ...said, ...de };
}

/** The languages that there are, under their own names. */
export const LANGUAGES = { en: "English", de: "Deutsch" };

const current = signal({ language: "en", texts: en });
const added = []; // by plugins: {language: texts, said: {language: texts}}

/** The language that is shown. */
export const language = () => current.value.language;

/** Show another language, from now on; if its texts cannot be loaded, the one that is shown stays. */
export async function speak(wanted) {
  const chosen = wanted in LOADERS ? wanted : "en";
  const texts = await LOADERS[chosen]().catch(() => null);
  if (texts === null) return;
  current.value = { language: chosen, texts: Object.assign({}, en, texts, ...added.map((one) => textsOf(one, chosen))) };
}

/** The first language of the person that there is. */
export function preferred(languages) {
  return languages.map((tag) => tag.split("-")[0]).find((one) => one in LOADERS) ?? "en";
}

/** The direction of a language. */
export const direction = (tag) => (RIGHT_TO_LEFT.test(tag) ? "rtl" : "ltr");

/** A plugin's texts, as `{en: {...}, de: {...}, said: {de: {...}}}`; English is used where a language is missing. */
export function addTexts(texts) {
  added.push(texts);
  const { language: tag } = current.value;
  current.value = { language: tag, texts: { ...current.value.texts, ...textsOf(texts, tag) } };
}

const textsOf = (texts, tag) => ({ ...texts.en, ...texts[tag], ...texts.said?.[tag] });

/** Whether there is a text with this key. */
export const knows = (key) => key in current.value.texts;

/** The text with this key; the key itself where there is none: a sentence of the server, and nothing else, says a test. */
export function t(key, values = {}) {
  const { language: tag, texts } = current.value;
  if (!(key in texts) && /\d/.test(key)) return withNumbers(key, texts);
  const text = texts[key] ?? key;
  const chosen = typeof text === "string" ? text : text[new Intl.PluralRules(tag).select(values.count)] ?? text.other;
  return chosen.replace(/\{(\w+)\}/g, (_, name) => shown(values[name], tag));
}

/** A sentence of the server with numbers in it, of which the catalogue knows "{0} of {1}". */
function withNumbers(sentence, texts) {
  const numbers = [];
  const key = sentence.replace(/\d+/g, (digits) => `{${numbers.push(Number(digits)) - 1}}`);
  return key in texts ? t(key, numbers) : sentence;
}

function shown(value, tag) {
  if (typeof value === "number") return new Intl.NumberFormat(tag).format(value);
  const text = String(value ?? "");
  return direction(tag) === "rtl" || RIGHT_TO_LEFT_LETTERS.test(text) ? `\u2068${text}\u2069` : text;
}

/** Times and spans as people read them, in the language that is shown. */

import { language, t } from "./catalogue.mjs";

const DAY = 86_400;
const UNITS = [["day", DAY], ["hour", 3_600], ["minute", 60], ["second", 1]];

/** The language that is shown, as people in their country write it: 20:15, or 8:15 pm. */
const written = () => navigator.languages?.find((tag) => tag.split("-")[0] === language()) ?? language();

const format = (options) => (moment) => new Intl.DateTimeFormat(written(), options).format(new Date(moment));

/** 20:15 */
export const clock = format({ hour: "2-digit", minute: "2-digit" });

/** 20 November 2026 at 20:15:30 */
export const exact = format({ dateStyle: "long", timeStyle: "medium" });

/** 20 November 2026, 20:15 */
export const moment = format({ dateStyle: "medium", timeStyle: "short" });

/** 20 Nov */
export const date = format({ day: "numeric", month: "short" });

const weekday = format({ weekday: "long", day: "numeric", month: "long" });

/** Today, Yesterday, Friday, 20 November */
export function day(time, now) {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const days = Math.round((midnight - new Date(time).setHours(0, 0, 0, 0)) / (DAY * 1_000));
  return days === 0 ? t("day.today") : days === 1 ? t("day.yesterday") : weekday(time);
}

/**
 * A length of time. What counts down is told about, in the largest unit of which there are at least two, or that it is: 2 hours,
 * 90 minutes. A rule is told exactly, in the largest unit that divides it. `isAfter`: as it is written after "in" or "after".
 */
export function span(seconds, { isExact = false, isAfter = false } = {}) {
  const rounded = Math.max(1, Math.round(seconds));
  const fits = isExact ? (size) => rounded % size === 0 : (size) => rounded >= 2 * size || rounded === size;
  const [unit, size] = UNITS.find(([, length]) => fits(length)) ?? UNITS.at(-1);
  const count = Math.round(rounded / size);
  if (isAfter) return t(`after.${unit}`, { count });
  return new Intl.NumberFormat(language(), { style: "unit", unit, unitDisplay: "long" }).format(count);
}

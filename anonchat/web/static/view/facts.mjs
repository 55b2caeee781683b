/** What everybody has a right to know about a room, as sentences: before joining and all the time. */

import { t } from "../texts/catalogue.mjs";
import { moment, span } from "../texts/times.mjs";

/** How long messages and the room live. `room` is its metadata. */
export function lifeOf(room) {
  return [
    room.retentionSeconds ? t("facts.retention", { span: span(room.retentionSeconds, { isExact: true, isAfter: true }) }) : t("facts.kept"),
    room.expiresAt ? t("facts.ends", { moment: moment(room.expiresAt) }) : t("facts.endless"),
    ...(room.purgeGraceSeconds ? [t("facts.grace", { span: span(room.purgeGraceSeconds, { isExact: true, isAfter: true }) })] : []),
  ];
}

/** Who moderates, of those who are there. */
export const moderation = (names) =>
  names.length === 0 ? t("facts.unmoderated") : t("facts.moderated", { names: names.slice(0, 3).join(", "), count: names.length });

/** What concerns one: a list, and a call from the system for those who want one. */

import { callerOf } from "./calls.mjs";
import { panelOf } from "./panel.mjs";
import { settingsOf } from "./settings.mjs";
import { notificationsOf } from "./state.mjs";
import { texts } from "./texts.mjs";

/** `door` is what docs/plugin-web.md describes. */
export default function register(door) {
  const { t } = door;
  const wishes = door.drawer("notifications"); // "wanted": "all", "mentions" or "none"; the room's own, kept as everything is
  const call = callerOf(door, wishes);
  door.texts(texts);
  door.reducer(notificationsOf(door.removal));
  door.on("notification", (data, state) => call.noted(data, state));
  door.on("message", (wire, state) => call.said(wire, state));
  door.add("panels", { id: "notifications", icon: "bell", label: () => t("notifications.title"), count: (state) => state.notifications.unread, component: panelOf(door) });
  door.add("settings", { component: settingsOf(door, wishes) });
}

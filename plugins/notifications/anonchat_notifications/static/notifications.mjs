/** What concerns one: a list, and a call from the system for those who want one. */

import { callerOf } from "./calls.mjs";
import { panelOf } from "./panel.mjs";
import { settingsOf } from "./settings.mjs";
import { notificationsOf } from "./state.mjs";
import { Tabs } from "./tabs.mjs";
import { texts } from "./texts.mjs";

/** `door` is what docs/plugin-web.md describes. */
export default function register(door) {
  const { t, room, effect } = door;
  const all = new WeakMap(); // tabs by one's stay in a room
  const wishes = door.drawer("notifications"); // "wanted": "all", "mentions" or "none"; the room's own, kept as everything is
  const call = callerOf(door, wishes, () => all.get(room()));
  door.on("identified", () => {
    const stay = room();
    if (all.has(stay)) return;
    const tabs = new Tabs(stay.roomId);
    all.set(stay, tabs);
    effect(() => tabs.look(stay.attention.isLooking.value));
  });
  door.texts(texts);
  door.reducer(notificationsOf(door.removal));
  door.on("notification", (data, state) => call.noted(data, state));
  door.on("message", (wire, state) => call.said(wire, state));
  door.add("panels", { id: "notifications", icon: "bell", label: () => t("notifications.title"), count: (state) => state.notifications.unread, component: panelOf(door) });
  door.add("settings", { component: settingsOf(door, wishes) });
}

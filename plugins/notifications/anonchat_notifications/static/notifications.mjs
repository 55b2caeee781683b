/** What concerns one: a list, and a call from the system for those who want one. */

import { callerOf } from "./calls.mjs";
import { panelOf } from "./panel.mjs";
import { settingsOf } from "./settings.mjs";
import { notificationsOf } from "./state.mjs";
import { systemOf } from "./system.mjs";
import { Tabs } from "./tabs.mjs";
import { texts } from "./texts.mjs";

/** `api` is what docs/plugin-web.md describes. */
export default function register(api) {
  const { t, room, effect } = api;
  const all = new WeakMap(); // tabs by one's stay in a room
  const wishes = api.drawer("notifications"); // "wanted": "all", "mentions" or "none"; the room's own, kept as everything is
  const system = systemOf(api);
  const call = callerOf(api, wishes, () => all.get(room()), system);
  api.on("identified", (_, state) => {
    const stay = room();
    if (all.has(stay)) {
      call.returns(state);
      return;
    }
    call.begins();
    const tabs = new Tabs(stay.roomId);
    all.set(stay, tabs);
    effect(() => tabs.look(stay.attention.isLooking.value));
  });
  api.texts(texts);
  api.reducer(notificationsOf(api.removal));
  api.on("notification", (data, state) => call.noted(data, state));
  api.on("notifications", (_, state) => call.listed(state));
  api.on("history_chunk", (page, state) => call.told(page, state));
  api.on("caught_up", () => call.returned());
  api.on("message", (wire, state) => call.said(wire, state));
  api.add("panels", { id: "notifications", icon: "bell", label: () => t("notifications.title"), count: (state) => state.notifications.unread, component: panelOf(api) });
  api.add("settings", { component: settingsOf(api, wishes, system) });
}

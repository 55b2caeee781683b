/** The moderators' tools, where the eye is: on the message, on the person, and in a panel for the room. */

import { actsOf } from "./acts.mjs";
import { panelOf } from "./panel.mjs";
import { creationOf } from "./presets.mjs";
import { isUsedUp, moderation } from "./state.mjs";
import { texts } from "./texts.mjs";

/** `api` is what docs/plugin-web.md describes. */
export default function register(api) {
  const { html, room, selectors, t, times, serverNow } = api;
  api.texts(texts);
  api.reducer(moderation);
  actsOf(api);
  api.add("creation", creationOf(api));
  const count = (state) => (selectors.isModerator(state) ? Object.keys(state.moderation.held).length + state.moderation.reports : 0);
  api.add("panels", { id: "moderation", icon: "shield", label: () => t("moderation.title"), count, component: panelOf(api) });
  // The node tells it, too, but where somebody is promoted on another one that may get lost.
  api.on("presence", ({ event, user }, state) => {
    if (event !== "change" || user.sessionId !== state.room.me.sessionId || user.role !== "moderator") return;
    for (const asked of ["get_moderation", "get_held_messages"]) room().chat.request(asked).catch(() => {});
  });
  for (const decided of ["message_released", "message_dropped"]) {
    api.on(decided, (_, state) => isUsedUp(state.moderation) && room().chat.request("get_held_messages").catch(() => {}));
  }

  /** That one is muted, or that there is a panic. For how long stands beside what is read out, as it changes with each second. */
  function Bar() {
    const { muted, rules } = room().state.moderation;
    const left = muted === null ? 0 : (Date.parse(muted.until) - serverNow()) / 1_000;
    const sentence = [rules.panic && t("moderation.inPanic"), left > 0 && t("moderation.muted")].filter(Boolean).join(" ");
    const reason = left > 0 && muted.reason ? html` <bdi>${muted.reason}</bdi>` : null;
    const rest = left > 0 ? html` <span>${t("moderation.mutedLeft", { span: times.span(left) })}</span>` : null;
    return sentence === "" ? null : html`
      <section class="banner offline" aria-label=${t("moderation.title")}><span role="status">${sentence}${reason}</span>${rest}</section>`;
  }
  api.add("bars", { component: Bar });
}

/** The moderators' tools, where the eye is: on the message, on the person, and in a panel for the room. */

import { actsOf } from "./acts.mjs";
import { panelOf } from "./panel.mjs";
import { creationOf } from "./presets.mjs";
import { moderation } from "./state.mjs";
import { texts } from "./texts.mjs";

/** `door` is what docs/plugin-web.md describes. */
export default function register(door) {
  const { html, room, selectors, t, times, now } = door;
  door.texts(texts);
  door.reducer(moderation);
  actsOf(door);
  door.add("creation", creationOf(door));
  const count = (state) => (selectors.isModerator(state) ? Object.keys(state.moderation.held).length + state.moderation.reports : 0);
  door.add("panels", { id: "moderation", icon: "shield", label: () => t("moderation.title"), count, component: panelOf(door) });
  // Who becomes a moderator is told only of what happens from then on.
  door.on("presence", ({ event, user }, state) => {
    if (event !== "change" || user.sessionId !== state.room.me.sessionId || user.role !== "moderator") return;
    for (const asked of ["get_moderation", "get_held_messages"]) room().chat.request(asked).catch(() => {});
  });

  /** That one is muted, or that there is a panic. */
  function Bar() {
    const { muted, rules } = room().state.moderation;
    const left = muted === null ? 0 : (Date.parse(muted.until) - now.value) / 1_000;
    const told = [rules.panic && t("moderation.inPanic"), left > 0 && t("moderation.muted", { span: times.span(left) })];
    const sentence = told.filter(Boolean).join(" ");
    const reason = left > 0 && muted.reason ? html` <bdi>${muted.reason}</bdi>` : null;
    return sentence === "" ? null : html`<p class="banner offline" role="status"><span>${sentence}${reason}</span></p>`;
  }
  door.add("bars", { component: Bar });
}

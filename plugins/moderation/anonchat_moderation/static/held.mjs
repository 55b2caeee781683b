/** Messages that wait for a moderator. */

import { isUsedUp } from "./state.mjs";

/** How many wait, as far as is told. */
export const waiting = (t, count, hasMore) => t(hasMore ? "moderation.heldMany" : "moderation.held", { count });

export function heldOf({ html, room, t, components: { Confirm } }) {
  const act = (event, data) => room().act(event, data);
  const drop = (messageId) => () => (room().dialog.value = () => html`
    <${Confirm} title=${t("moderation.drop")} text=${t("moderation.dropMeans")} yes=${t("moderation.drop")} act=${() => act("drop_message", { messageId })} />`);

  return function Held({ state: { moderation } }) {
    const held = Object.values(moderation.held);
    if (held.length === 0 && !moderation.hasMoreHeld) return null;
    return html`
      <h3>${waiting(t, held.length, moderation.hasMoreHeld)}</h3>
      <ul class="entries">${held.map(({ message, reason }) => html`
        <li key=${message.id} class="entry"><b><bdi>${message.authorUsername}</bdi></b><span dir="auto">${message.content.text}</span><span class="quiet">${t(reason)}</span>
          <div class="row"><button type="button" class="button small" onClick=${() => act("release_message", { messageId: message.id })}>${t("moderation.release")}</button>
          <button type="button" class="button small grave" onClick=${drop(message.id)}>${t("moderation.drop")}</button></div></li>`)}
      </ul>
      ${isUsedUp(moderation) ? html`<button type="button" class="button small" onClick=${() => act("get_held_messages")}>${t("moderation.more")}</button>` : null}`;
  };
}

/** The list of what is unread. */

import { sentenceOf } from "./sentence.mjs";

export function panelOf(api) {
  const { html, t, times, room } = api;
  const act = (event, data) => room().act(event, data);

  function Entry({ one }) {
    const { message } = one;
    const open = () => {
      act("mark_notification_read", { notificationId: one.id });
      room().panel.value = null;
      if (message) room().show(message.id, message.seq);
    };
    return html`
      <li><button type="button" class="entry" onClick=${open}>
        <span><b>${sentenceOf(t, one)}</b> <time datetime=${one.createdAt}>${times.clock(one.createdAt)}</time></span>
        ${message?.excerpt ? html`<span class="quiet" dir="auto">${message.excerpt}</span>` : null}
      </button></li>`;
  }

  return function Panel() {
    const { all, unread } = room().state.notifications;
    return html`
      ${all.length === 0 ? html`<p class="quiet">${t("notifications.none")}</p>` : html`<ul class="entries">${all.map((one) => html`<${Entry} key=${one.id} one=${one} />`)}</ul>`}
      ${unread > 0 ? html`<button type="button" class="button small" onClick=${() => act("mark_all_notifications_read", {})}>${t("notifications.readAll")}</button>` : null}`;
  };
}

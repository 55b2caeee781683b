/** The list of what is unread. */

export function panelOf(door) {
  const { html, t, times, room } = door;
  const act = (event, data) => room().act(event, data);

  function Entry({ one }) {
    const { message } = one;
    const open = () => {
      act("mark_notification_read", { notificationId: one.id });
      room().panel.value = null;
      if (message) room().show(message.id);
    };
    const values = { name: message?.authorUsername ?? "", count: one.voters ?? 0, act: t(`notifications.act.${one.act ?? "none"}`) };
    return html`
      <li><button type="button" class="entry" onClick=${open}>
        <span><b>${t(`notifications.${one.type}`, values)}</b> <time datetime=${one.createdAt}>${times.clock(one.createdAt)}</time></span>
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

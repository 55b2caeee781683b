/** Messages that wait for a moderator. */

export function heldOf({ html, room, t, components: { Confirm } }) {
  const act = (event, data) => room().act(event, data);
  const drop = (messageId) => () => (room().dialog.value = () => html`
    <${Confirm} title=${t("moderation.drop")} text=${t("moderation.dropMeans")} yes=${t("moderation.drop")} act=${() => act("drop_message", { messageId })} />`);

  return function Held({ state }) {
    const held = Object.values(state.moderation.held);
    if (held.length === 0) return null;
    return html`
      <h3>${t("moderation.held", { count: held.length })}</h3>
      <ul class="entries">${held.map(({ message, reason }) => html`
        <li class="entry"><b><bdi>${message.authorUsername}</bdi></b><span dir="auto">${message.content.text}</span><span class="quiet">${t(reason)}</span>
          <div class="row"><button type="button" class="button small" onClick=${() => act("release_message", { messageId: message.id })}>${t("moderation.release")}</button>
          <button type="button" class="button small grave" onClick=${drop(message.id)}>${t("moderation.drop")}</button></div></li>`)}
      </ul>`;
  };
}

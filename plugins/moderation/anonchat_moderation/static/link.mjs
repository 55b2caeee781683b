/** A new link for moderators, for when the old one has got into wrong hands. */

/** Returns what asks first, and then shows the link, this once. */
export function linkOf(api) {
  const { html, room, t, components: { Confirm, Copyable, Dialog } } = api;
  const open = (content) => (room().dialog.value = content);

  const Shown = ({ link }) => html`
    <${Dialog} title=${t("moderation.rotate")} close=${() => open(null)}>
      <${Copyable} label=${t("moderation.newLink")} text=${link} isSecret=${true} />
      <p class="hint">${t("moderation.newLinkHint")}</p>
    </${Dialog}>`;

  async function rotate() {
    const stay = room();
    try {
      const { moderatorToken } = await stay.chat.request("rotate_moderator_token");
      stay.drawer.set("secret", moderatorToken); // with which one comes again from this device
      open(() => html`<${Shown} link=${`${location.origin}/r/${stay.roomId}#${moderatorToken}`} />`);
    } catch (error) {
      stay.problem.value = error.code === "rank_too_low" ? { code: "owners_only" } : error;
    }
  }

  return () => open(() => html`<${Confirm} title=${t("moderation.rotate")} text=${t("moderation.rotateMeans")} yes=${t("moderation.rotate")} act=${rotate} />`);
}

/** What can be done to a person and with a message; every act that harms asks first. */

const MUTE_SECONDS = 600;

export function actsOf(door) {
  const { html, room, selectors, t, useSignal, components: { Dialog, Problem } } = door;
  const isOther = (user, state) => selectors.isModerator(state) && user.sessionId !== state.room.me.sessionId;
  const isParticipant = (user, state) => isOther(user, state) && user.role !== "moderator";
  const open = (component, props) => (room().dialog.value = () => html`<${component} ...${props} />`);

  /** Asks for a reason before something is done. */
  function Asked({ title, text, event, data, needsReason = false }) {
    const problem = useSignal(null);
    const close = () => (room().dialog.value = null);
    const submit = async (submitted) => {
      submitted.preventDefault();
      const reason = new FormData(submitted.target).get("reason").trim();
      try {
        await room().chat.request(event, { ...data, ...(reason === "" ? {} : { reason }) });
        close();
      } catch (error) {
        problem.value = error;
      }
    };
    return html`
      <${Dialog} title=${title} close=${close} kind="small">
        <form class="form" onSubmit=${submit}>
          <p>${text}</p>
          <label>${t("moderation.reason")}<input name="reason" maxlength="200" required=${needsReason} dir="auto" /></label>
          <${Problem} error=${problem.value} />
          <div class="row end"><button type="button" class="button" onClick=${close}>${t("action.cancel")}</button><button class="button grave">${title}</button></div>
        </form>
      </${Dialog}>`;
  }

  const grave = (id, icon, rest = {}) => ({
    id, icon, isGrave: true, fits: isParticipant, label: () => t(`moderation.${id}`),
    run: (user) => open(Asked, { title: t(`moderation.${id}`), text: t(`moderation.${id}Means`, { name: user.username }), event: id, data: { targetSessionId: user.sessionId, ...rest } }),
  });
  const mild = (id, icon, fits) => ({ id, icon, fits, label: () => t(`moderation.${id}`), run: (user) => room().act(id, { targetSessionId: user.sessionId }) });

  door.add("personActions", grave("mute", "bell", { durationSeconds: MUTE_SECONDS }));
  door.add("personActions", mild("unmute", "bell", isParticipant));
  door.add("personActions", mild("promote", "shield", isParticipant));
  door.add("personActions", mild("demote", "shield", (user, state) => isOther(user, state) && user.role === "moderator"));
  door.add("personActions", grave("kick", "leave"));
  door.add("personActions", grave("ban", "close", { purgeMessages: true }));

  const author = (wire) => ({ sessionId: wire.authorSessionId, username: wire.authorUsername, role: wire.authorRole });
  for (const action of [grave("mute", "bell", { durationSeconds: MUTE_SECONDS }), grave("ban", "close", { purgeMessages: true })]) {
    door.add("messageActions", { ...action, fits: (wire, state) => isParticipant(author(wire), state), run: (wire) => action.run(author(wire)) });
  }
  door.add("messageActions", {
    id: "report", icon: "shield", label: () => t("moderation.report"), fits: (wire, state) => !selectors.isOwn(wire, state) && !selectors.isModerator(state),
    run: (wire) => open(Asked, { title: t("moderation.report"), text: t("moderation.reportMeans"), event: "report_message", data: { messageId: wire.id }, needsReason: true }),
  });
}

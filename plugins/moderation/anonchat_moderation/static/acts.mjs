/** What can be done to a person and with a message; every act that harms asks first. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIMES = { kick: [5 * MINUTE, HOUR, DAY], mute: [10 * MINUTE, HOUR, DAY], ban: [7 * DAY, DAY, 30 * DAY] }; // the first is chosen
const TIME_FIELDS = { kick: "coolOffSeconds", mute: "durationSeconds", ban: "durationSeconds" };

export function actsOf(door) {
  const { html, room, selectors, t, times, useSignal, components: { Dialog, Problem } } = door;
  const isOther = (user, state) => selectors.isModerator(state) && user.sessionId !== state.room.me.sessionId;
  const isParticipant = (user, state) => isOther(user, state) && user.role !== "moderator";
  const open = (component, props) => (room().dialog.value = () => html`<${component} ...${props} />`);

  /** How long, and whether what they wrote goes, too. */
  const Extent = ({ event }) => html`
    <label>${t("moderation.for")}<select name="seconds">${TIMES[event].map((seconds) => html`<option value=${seconds}>${times.span(seconds)}</option>`)}</select></label>
    ${event === "ban" ? html`<label class="switch"><input type="checkbox" name="purge" checked /><span>${t("moderation.purge")}</span></label>` : null}`;

  /** What the form says, as data of the event. */
  function said(form, event) {
    const reason = form.get("reason").trim();
    return {
      ...(reason === "" ? {} : { reason }),
      ...(event in TIMES ? { [TIME_FIELDS[event]]: Number(form.get("seconds")) } : {}),
      ...(event === "ban" ? { purgeMessages: form.has("purge") } : {}),
    };
  }

  /** Asks for a reason, and how far it goes, before something is done. */
  function Asked({ title, text, event, data, needsReason = false }) {
    const problem = useSignal(null);
    const close = () => (room().dialog.value = null);
    const submit = async (submitted) => {
      submitted.preventDefault();
      try {
        await room().chat.request(event, { ...data, ...said(new FormData(submitted.target), event) });
        close();
      } catch (error) {
        problem.value = error;
      }
    };
    return html`
      <${Dialog} title=${title} close=${close} kind="small">
        <form class="form" onSubmit=${submit}>
          <p>${text}</p>
          ${event in TIMES ? html`<${Extent} event=${event} />` : null}
          <label>${t("moderation.reason")}<input name="reason" maxlength="200" required=${needsReason} dir="auto" /></label>
          <${Problem} error=${problem.value} />
          <div class="row end"><button type="button" class="button" onClick=${close}>${t("action.cancel")}</button><button class="button grave">${title}</button></div>
        </form>
      </${Dialog}>`;
  }

  const grave = (id, icon) => ({
    id, icon, isGrave: true, fits: isParticipant, label: () => t(`moderation.${id}`),
    run: (user) => open(Asked, { title: t(`moderation.${id}`), text: t(`moderation.${id}Means`, { name: user.username }), event: id, data: { targetSessionId: user.sessionId } }),
  });
  const mild = (id, icon, fits) => ({ id, icon, fits, label: () => t(`moderation.${id}`), run: (user) => room().act(id, { targetSessionId: user.sessionId }) });

  door.add("personActions", grave("mute", "bell"));
  door.add("personActions", mild("unmute", "bell", isParticipant));
  door.add("personActions", mild("promote", "shield", isParticipant));
  door.add("personActions", mild("demote", "shield", (user, state) => isOther(user, state) && user.role === "moderator"));
  door.add("personActions", grave("kick", "leave"));
  door.add("personActions", grave("ban", "close"));

  const author = (wire) => ({ sessionId: wire.authorSessionId, username: wire.authorUsername, role: wire.authorRole });
  for (const action of [grave("mute", "bell"), grave("ban", "close")]) {
    door.add("messageActions", { ...action, fits: (wire, state) => isParticipant(author(wire), state), run: (wire) => action.run(author(wire)) });
  }
  door.add("messageActions", {
    id: "report", icon: "shield", label: () => t("moderation.report"), fits: (wire, state) => !selectors.isOwn(wire, state) && !selectors.isModerator(state),
    run: (wire) => open(Asked, { title: t("moderation.report"), text: t("moderation.reportMeans"), event: "report_message", data: { messageId: wire.id }, needsReason: true }),
  });
}

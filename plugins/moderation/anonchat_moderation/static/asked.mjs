/** The question before an act that harms: how far it goes, and why. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIMES = { kick: [5 * MINUTE, HOUR, DAY], mute: [10 * MINUTE, HOUR, DAY], ban: [7 * DAY, DAY, 30 * DAY] }; // the first is chosen
const TIME_FIELDS = { kick: "coolOffSeconds", mute: "durationSeconds", ban: "durationSeconds" };

/** A dialog that does `event` with `data` once it was answered; `person` is whom it is about, if it is about one. */
export function askedOf({ html, room, t, times, useSignal, components: { Confirm, Dialog, Problem } }) {
  const close = () => (room().dialog.value = null);

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

  /** Asks before all that somebody wrote is deleted, whether they are there or have left; `before` says more. */
  function Purge({ person: { sessionId, username }, before = "" }) {
    const act = () => room().act("purge_messages", { targetSessionId: sessionId });
    return html`<${Confirm} title=${t("moderation.purgeAll")} text=${`${before} ${t("moderation.purgeAllMeans", { name: username })}`} yes=${t("action.delete")} act=${act} />`;
  }

  /** Asks for a reason, and how far it goes, before something is done. Who has left can only be purged. */
  function Asked({ title, text, event, data, person, needsReason = false }) {
    const problem = useSignal(null);
    const submit = async (submitted) => {
      submitted.preventDefault();
      try {
        await room().chat.request(event, { ...data, ...said(new FormData(submitted.target), event) });
        close();
      } catch (error) {
        problem.value = error;
      }
    };
    if (person && problem.value?.code === "not_found") return html`<${Purge} person=${person} before=${t("moderation.hasLeft", { name: person.username })} />`;
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

  return { Asked, Purge };
}

/** The question before an act that harms: how far it goes, and why. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIMES = { kick: [5 * MINUTE, HOUR, DAY], mute: [10 * MINUTE, HOUR, DAY], ban: [7 * DAY, DAY, 30 * DAY] }; // the first is chosen
const TIME_FIELDS = { kick: "coolOffSeconds", mute: "durationSeconds", ban: "durationSeconds" };

/** A dialog that does `event` with `data` once it was answered. */
export function askedOf({ html, room, t, times, useSignal, components: { Dialog, Problem } }) {
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
  return function Asked({ title, text, event, data, needsReason = false }) {
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
  };
}

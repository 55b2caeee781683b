/** The form for a new poll. */

const SECRECIES = ["open", "hidden", "secret"];
const MINUTE = 60;
const CLOSES = [5 * MINUTE, 60 * MINUTE, 24 * 60 * MINUTE];

/** A component that is shown above everything. */
export function makerOf(api) {
  const { html, t, times, room, randomId, useRef, useSignal, components: { Dialog, Problem } } = api;

  return function Maker() {
    const problem = useSignal(null);
    const isBusy = useSignal(false);
    const sent = useRef({}); // {text, clientMsgId} of the last attempt: whoever asks the same again makes no second poll
    const close = () => (room().dialog.value = null);
    const submit = async (event) => {
      event.preventDefault();
      if (isBusy.value) return;
      isBusy.value = true;
      const data = asked(new FormData(event.target));
      const text = JSON.stringify(data);
      if (sent.current.text !== text) sent.current = { text, clientMsgId: randomId() };
      try {
        await room().chat.request("create_poll", { ...data, clientMsgId: sent.current.clientMsgId });
        close();
      } catch (error) {
        problem.value = error;
      }
      isBusy.value = false;
    };
    return html`
      <${Dialog} title=${t("polls.make")} close=${close}>
        <form class="form" onSubmit=${submit}>
          <label>${t("polls.question")}<input name="question" required maxlength="300" dir="auto" /></label>
          <label>${t("polls.options")}<textarea name="options" required rows="4" dir="auto"></textarea></label>
          <fieldset class="form"><legend class="quiet">${t("polls.secrecy")}</legend>
            ${SECRECIES.map((name) => html`<label class="switch"><input type="radio" name="secrecy" value=${name} checked=${name === "open"} /><span>${t(`polls.${name}`)}<small>${t(`polls.${name}Means`)}</small></span></label>`)}
          </fieldset>
          <label class="switch"><input type="checkbox" name="several" /><span>${t("polls.several")}</span></label>
          <label>${t("polls.closesAfter")}<select name="closes"><option value="">${t("polls.byHand")}</option>${CLOSES.map((seconds) => html`<option value=${seconds}>${times.span(seconds)}</option>`)}</select></label>
          <${Problem} error=${problem.value} />
          <button class="button primary" disabled=${isBusy.value}>${t("polls.do")}</button>
        </form>
      </${Dialog}>`;
  };
}

/** The data of `create_poll`. */
function asked(form) {
  const seconds = Number(form.get("closes")) || null;
  return {
    question: form.get("question").trim(),
    options: form.get("options").split("\n").map((line) => line.trim()).filter(Boolean),
    secrecy: form.get("secrecy"),
    allowMultipleAnswers: form.get("several") !== null,
    ...(seconds === null ? {} : { closesInSeconds: seconds }),
  };
}

/** The six rules in detail, as a form; what is not changed in it stays as it is on the server. */

/** Kind of rule -> its settings: numbers from least to most, lists with one entry a line, and switches. */
const RULES = {
  flooding: { perMinute: [1, 60], muteSeconds: [1, 86_400] },
  words: { words: "lines" },
  links: { allowed: "lines" },
  shouting: { percent: [10, 100] },
  repeats: { times: [1, 5], seconds: [1, 3_600], sessions: [0, 20], nearly: "switch" },
  newcomers: { seconds: [0, 86_400], messages: [1, 1_000], holdSeconds: [1, 3_600] },
};
const LISTS = { words: "words", links: "allowed" }; // of which rules others may have changed an entry meanwhile
const ACTIONS = ["allow", "hold", "refuse"];

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** What the form says about a setting. */
function said(form, name, kind) {
  if (kind === "lines") return lines(form.get(name));
  return kind === "switch" ? form.has(name) : Number(form.get(name));
}

/** What has changed of a setting: of a list only what came and what went, as others may change it, too. */
function change(rule, name, wanted, known) {
  if (JSON.stringify(wanted) === JSON.stringify(known)) return {};
  if (LISTS[rule] !== name) return { [name]: wanted };
  const without = (some, others) => some.filter((one) => !others.includes(one));
  return { add: without(wanted, known), remove: without(known, wanted) };
}

/** What of `settings` the form has changed: kind -> {name: value}. Pure, but for reading the form. */
export function changed(form, settings) {
  const changes = Object.entries(RULES).map(([rule, fields]) => {
    const wanted = [["action", form.get(`${rule}.action`)], ...Object.entries(fields).map(([name, kind]) => [name, said(form, `${rule}.${name}`, kind)])];
    return [rule, Object.assign({}, ...wanted.map(([name, value]) => change(rule, name, value, settings[rule][name])))];
  });
  return Object.fromEntries(changes.filter(([, change]) => Object.keys(change).length > 0));
}

export function rulesOf(api) {
  const { html, room, t, useEffect, useSignal, components: { Dialog, Problem } } = api;

  function Field({ rule, name, kind, value }) {
    const label = t(`moderation.rule.${rule}.${name}`);
    const called = `${rule}.${name}`;
    if (kind === "lines") return html`<label>${label}<textarea name=${called} rows="3" dir="auto">${value.join("\n")}</textarea></label>`;
    if (kind === "switch") return html`<label class="switch"><input type="checkbox" name=${called} checked=${value} /><span>${label}</span></label>`;
    return html`<label>${label}<input type="number" inputmode="numeric" name=${called} min=${kind[0]} max=${kind[1]} value=${value} required /></label>`;
  }

  const Rule = ({ rule, settings }) => html`
    <fieldset class="entry form">
      <legend>${t(`moderation.rule.${rule}`)}</legend>
      <label>${t("moderation.rule.action")}<select name="${rule}.action">${ACTIONS.map((action) => html`
        <option value=${action} selected=${settings.action === action}>${t(`moderation.action.${action}`)}</option>`)}</select></label>
      <div class="columns">${Object.entries(RULES[rule]).map(([name, kind]) => html`<${Field} rule=${rule} name=${name} kind=${kind} value=${settings[name]} />`)}</div>
    </fieldset>`;

  /** The dialog. The settings are asked for when it is opened, for others may have changed them. */
  return function Rules() {
    const settings = useSignal(null);
    const problem = useSignal(null);
    const close = () => (room().dialog.value = null);
    const attempt = (act) => act().catch((error) => (problem.value = error));
    useEffect(() => void attempt(async () => (settings.value = (await room().chat.request("get_moderation")).settings)), []);
    const submit = (event) => {
      event.preventDefault();
      const rules = changed(new FormData(event.target), settings.value);
      attempt(async () => {
        if (Object.keys(rules).length > 0) await room().chat.request("set_moderation", { rules });
        close();
      });
    };
    return html`
      <${Dialog} title=${t("moderation.rules")} close=${close}>
        <p class="hint">${t("moderation.rulesHint")}</p>
        ${settings.value === null ? html`<p class="waiting" role="status">${t("waiting")}</p>` : html`
          <form class="form" onSubmit=${submit}>
            ${Object.keys(RULES).map((rule) => html`<${Rule} rule=${rule} settings=${settings.value[rule]} />`)}
            <div class="row end"><button type="button" class="button" onClick=${close}>${t("action.cancel")}</button><button class="button primary">${t("moderation.save")}</button></div>
          </form>`}
        <${Problem} error=${problem.value} />
      </${Dialog}>`;
  };
}

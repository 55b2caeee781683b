/** The form that opens a room. What most rooms do not need is folded away, with what plugins ask. */

import { html, useSignal } from "../ui.mjs";
import { rest } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { span } from "../texts/times.mjs";
import { useClient } from "./context.mjs";
import { Problem } from "./parts.mjs";
import { Plugged } from "./plugged.mjs";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LONGEST = 30 * DAY;
const LIFETIMES = [HOUR, DAY, 7 * DAY, LONGEST];
const RETENTIONS = [10 * MINUTE, HOUR, DAY, 7 * DAY, null];

/** `created` is a signal for the answer of the server. */
export function CreateForm({ created }) {
  const { registry } = useClient();
  const problem = useSignal(null);
  const isBusy = useSignal(false);
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    isBusy.value = true;
    try {
      created.value = await rest("POST", "/api/rooms", wanted(form, registry));
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  };
  return html`
    <form class="card" onSubmit=${submit}>
      <h2>${t("create.title")}</h2>
      <label>${t("create.name")}<input name="title" required maxlength="120" autocomplete="off" placeholder=${t("create.example")} /></label>
      <${Lives} />
      <${More} />
      <${Problem} error=${problem.value} />
      <button class="button primary" disabled=${isBusy.value}>${t("create.do")}</button>
    </form>`;
}

/** How long the room and its messages live. Only a room in which messages stay may have no end. */
function Lives() {
  const lifetime = useSignal(DAY);
  const retention = useSignal(DAY);
  const retain = (seconds) => {
    retention.value = seconds;
    if (seconds !== null) lifetime.value ??= LONGEST;
  };
  const lifetimes = retention.value === null ? [...LIFETIMES, null] : LIFETIMES;
  return html`
    <div class="pair">
      <label>${t("create.lifetime")}<${Spans} name="lifetime" spans=${lifetimes} chosen=${lifetime.value} choose=${(seconds) => (lifetime.value = seconds)} none=${t("create.endless")} /></label>
      <label>${t("create.retention")}<${Spans} name="retention" spans=${RETENTIONS} chosen=${retention.value} choose=${retain} none=${t("create.untilEnd")} /></label>
    </div>`;
}

const Spans = ({ name, spans, chosen, choose, none }) => html`
  <select name=${name} onChange=${(event) => choose(Number(event.target.value) || null)}>${spans.map((seconds) => html`
    <option value=${seconds ?? ""} selected=${seconds === chosen}>${seconds === null ? none : span(seconds)}</option>`)}
  </select>`;

/** Plugins are loaded when somebody looks for more. */
function More() {
  const client = useClient();
  const isLoaded = useSignal(false);
  const load = () => client.load().then(() => (isLoaded.value = true));
  return html`
    <details class="more" onToggle=${load}>
      <summary>${t("create.more")}</summary>
      <div class="form">
        <label>${t("create.description")}<textarea name="description" rows="2" maxlength="1000" dir="auto"></textarea></label>
        <label>${t("create.places")}<input name="places" type="number" inputmode="numeric" min="1" placeholder="100" /></label>
        ${isLoaded.value ? client.registry.creation.map((added) => html`<${Plugged} added=${added} />`) : null}
        <label class="switch"><input type="checkbox" name="public" /><span>${t("create.public")}<small>${t("create.publicHint")}</small></span></label>
      </div>
    </details>`;
}

/** The body of the request. A room in which messages stay is one that is not ephemeral; one without an end, too. */
function wanted(form, registry) {
  const [lifetime, retention, places] = ["lifetime", "retention", "places"].map((name) => Number(form.get(name)) || null);
  return {
    title: form.get("title").trim(),
    description: form.get("description").trim(),
    ephemeral: retention !== null,
    isPublic: form.has("public"),
    settings: Object.assign({}, ...registry.creation.map(({ settings }) => settings(form))),
    ...(lifetime === null ? {} : { chatDurationSeconds: lifetime }),
    ...(retention === null ? {} : { retentionSeconds: retention }),
    ...(places === null ? {} : { maxParticipants: places }),
  };
}

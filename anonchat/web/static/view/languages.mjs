/** The choice of the language, on every page. */

import { html } from "../ui.mjs";
import { language, LANGUAGES, t } from "../texts/catalogue.mjs";
import { useClient } from "./context.mjs";

export function Languages() {
  const client = useClient();
  return html`
    <label class="languages"><span class="hidden">${t("settings.language")}</span>
      <select value=${language()} onChange=${(event) => client.set({ language: event.target.value })}>
        ${Object.entries(LANGUAGES).map(([tag, name]) => html`<option value=${tag} lang=${tag} selected=${tag === language()}>${name}</option>`)}
      </select>
    </label>`;
}

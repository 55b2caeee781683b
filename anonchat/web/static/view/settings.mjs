/** How somebody wants the page to be; kept in the tab, and beyond it only if they say so. */

import { html } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { useClient, useSession } from "./context.mjs";
import { Languages } from "./languages.mjs";
import { Dialog } from "./parts.mjs";
import { Plugged } from "./plugged.mjs";

const THEMES = ["auto", "light", "dark"];

export function Settings() {
  const client = useClient();
  const session = useSession();
  const { theme } = client.settings.value;
  const close = () => (session.dialog.value = null);
  return html`
    <${Dialog} title=${t("settings.title")} close=${close}>
      <fieldset class="choices"><legend>${t("settings.theme")}</legend>
        ${THEMES.map((name) => html`<label><input type="radio" name="theme" checked=${theme === name} onChange=${() => client.set({ theme: name })} />${t(`theme.${name}`)}</label>`)}
      </fieldset>
      <div class="setting"><span>${t("settings.language")}</span><${Languages} /></div>
      <${Switch} name="enterSends" /><${Switch} name="showsComings" />
      ${session.registry.settings.map((added) => html`<${Plugged} added=${added} />`)}
      <label class="switch"><input type="checkbox" checked=${client.drawers.keeps.value} onChange=${(event) => client.drawers.keep(event.target.checked)} /><span>${t("settings.keep")}<small>${t("settings.keepHint")}</small></span></label>
    </${Dialog}>`;
}

/** A setting that is on or off. */
export function Switch({ name }) {
  const client = useClient();
  return html`
    <label class="switch"><input type="checkbox" checked=${client.settings.value[name]} onChange=${(event) => client.set({ [name]: event.target.checked })} /><span>${t(`settings.${name}`)}</span></label>`;
}

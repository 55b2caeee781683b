/** Asks before something that cannot be undone. */

import { html } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { useSession } from "./context.mjs";
import { Dialog } from "./parts.mjs";

export function Confirm({ title, text, yes, act }) {
  const session = useSession();
  const close = () => (session.dialog.value = null);
  const sure = () => {
    close();
    act();
  };
  return html`
    <${Dialog} title=${title} close=${close} kind="small">
      <p>${text}</p>
      <div class="row end">
        <button type="button" class="button" onClick=${close}>${t("action.cancel")}</button>
        <button type="button" class="button grave" onClick=${sure}>${yes}</button>
      </div>
    </${Dialog}>`;
}

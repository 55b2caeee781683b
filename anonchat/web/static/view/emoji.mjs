/** Emoji to choose from, for those whose keyboard has none. */

import { html } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { EMOJI } from "../text/emoji.mjs";
import { useSession } from "./context.mjs";
import { Dialog } from "./parts.mjs";

const SIGNS = [...new Set(EMOJI.map(([, sign]) => sign))];

/** `insert(sign)` writes one where somebody was writing. */
export function Emoji({ insert }) {
  const session = useSession();
  const close = () => (session.dialog.value = null);
  const take = (sign) => () => {
    close();
    setTimeout(() => insert(sign)); // when the field can have the focus again
  };
  return html`
    <${Dialog} title=${t("emoji.title")} close=${close} kind="small">
      <div class="emoji">${SIGNS.map((sign) => html`<button type="button" onClick=${take(sign)}>${sign}</button>`)}</div>
    </${Dialog}>`;
}

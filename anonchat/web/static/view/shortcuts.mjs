/** What the keys do. */

import { html } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { useSession } from "./context.mjs";
import { Dialog } from "./parts.mjs";

const KEYS = [["Enter", "send"], ["Shift Enter", "break"], ["↑", "editLast"], ["Esc", "cancel"], ["@ : /", "complete"],
  ["↑ ↓", "rove"], ["R E C", "message"], ["?", "help"]];

export function Shortcuts() {
  const session = useSession();
  return html`
    <${Dialog} title=${t("shortcuts.title")} close=${() => (session.dialog.value = null)}>
      <dl class="shortcuts">${KEYS.map(([keys, name]) => html`<div><dt>${keys.split(" ").map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${t(`shortcuts.${name}`)}</dd></div>`)}</dl>
    </${Dialog}>`;
}

/** What can be done with a message, a person or the room, one below the other. */

import { html } from "../ui.mjs";
import { useSession } from "./context.mjs";
import { Icon } from "./icons.mjs";
import { Dialog } from "./parts.mjs";

/** `actions` are `{icon, label(subject), run(subject), isGrave?}`. */
export function Menu({ title, actions, subject, children }) {
  const session = useSession();
  const close = () => (session.dialog.value = null);
  const choose = (action) => () => {
    close();
    // When the menu is gone: what is below it cannot have the focus before.
    setTimeout(() => action.run(subject));
  };
  return html`
    <${Dialog} title=${title} close=${close} kind="sheet">
      ${children}
      <ul class="menu">${actions.map((action) => html`
        <li><button type="button" class="menu-item ${action.isGrave ? "grave" : ""}" onClick=${choose(action)}><${Icon} name=${action.icon} />${action.label(subject)}</button></li>`)}
      </ul>
    </${Dialog}>`;
}

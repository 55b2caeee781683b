/** A message on its way out: there at once, grey until the server has it, and never lost where it is refused. */

import { html } from "../ui.mjs";
import { copyText } from "../browser/clipboard.mjs";
import { isOrphaned } from "../protocol/outbox.mjs";
import { knows, t } from "../texts/catalogue.mjs";
import { useSession } from "./context.mjs";
import { Avatar, Name } from "./parts.mjs";
import { Rich } from "./rich.mjs";

export function Outgoing({ item }) {
  const session = useSession();
  const { me } = session.state.room;
  return html`
    <article class="message first own ${item.state}" data-key=${item.clientMsgId} tabindex="-1" aria-label=${t("message.sentence", { name: t("message.you"), text: item.text })}>
      <${Avatar} name=${me.username ?? "?"} id=${me.anonymousId} />
      <div class="said">
        <header class="by"><${Name} name=${me.username ?? ""} role=${me.role} /><span class="quiet">${t(`outgoing.${item.state}`)}</span></header>
        <${Rich} text=${item.text} />
        ${item.state === "failed" ? html`<${Failed} item=${item} />` : null}
        ${item.state === "held" && item.reason ? html`<p class="quiet">${t(item.reason)}</p>` : null}
      </div>
    </article>`;
}

function Failed({ item }) {
  const { chat } = useSession();
  const key = isOrphaned(item) ? "outgoing.orphaned" : `error.${item.code}`;
  return html`
    <p class="problem" role="alert">${t(knows(key) ? key : item.problem)}</p>
    <div class="row">
      <button type="button" class="button small" onClick=${() => chat.retry(item.clientMsgId)}>${t("action.retry")}</button>
      <button type="button" class="button small" onClick=${() => copyText(item.text)}>${t("action.copy")}</button>
      <button type="button" class="button small" onClick=${() => chat.outbox.remove(item.clientMsgId)}>${t("action.discard")}</button>
    </div>`;
}

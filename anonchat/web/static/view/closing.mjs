/** How a stay has ended, and what can be done next. */

import { html } from "../ui.mjs";
import { knows, t } from "../texts/catalogue.mjs";
import { span } from "../texts/times.mjs";
import { useClient } from "./context.mjs";
import { Receipt } from "./receipt.mjs";

const COME_AGAIN = new Set(["kicked", "name_lost", "session_expired", "invalid_token"]);
const LATER = new Set(["not_ours"]);

export function Closing({ session }) {
  const client = useClient();
  const { state } = session;
  const { reason, code } = session.chat.status.value;
  const why = state.room.ended ? "room_ended" : state.room.removed ? (state.room.removed.banned ? "banned" : "kicked") : reason;
  const key = `closing.${why}`;
  return html`
    <div class="page">
      <header class="page-head"><a class="brand" href="/">anonchat</a></header>
      <main class="front narrow">
        <section class="card" role="alert">
          <p class="eyebrow" dir="auto">${state.room.details.title}</p>
          <h1>${knows(key) ? t(key) : t("closing.other", { reason: reason || String(code) })}</h1>
          <${Details} room=${state.room} />
          <div class="row">
            ${COME_AGAIN.has(why) ? html`<button type="button" class="button primary" onClick=${() => client.forgetClosed()}>${t("closing.again")}</button>` : null}
            ${LATER.has(why) ? html`<button type="button" class="button primary" onClick=${() => location.reload()}>${t("closing.reload")}</button>` : null}
            ${client.isEmbedded ? null : html`<button type="button" class="button" onClick=${() => client.home()}>${t("noway.home")}</button>`}
          </div>
        </section>
      </main>
    </div>`;
}

function Details({ room: { removed, ended } }) {
  if (removed) {
    return html`
      ${removed.reason ? html`<p class="lead">${t("closing.because", { reason: removed.reason })}</p>` : null}
      ${removed.coolOffSeconds ? html`<p>${t("closing.coolOff", { span: span(removed.coolOffSeconds, { isExact: true, isAfter: true }) })}</p>` : null}`;
  }
  return html`<${Receipt} deleted=${ended?.deleted} />`;
}

/** Who is there. */

import { html, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { useSession } from "./context.mjs";
import { Menu } from "./menu.mjs";
import { Avatar, Name } from "./parts.mjs";

const MANY = 12; // people from which on they can be searched

export function People() {
  const session = useSession();
  const sought = useSignal("");
  const { people, room } = session.state;
  const rank = (user) => (user.sessionId === room.me.sessionId ? 0 : user.role === "moderator" ? 1 : 2);
  const all = Object.values(people.all).sort((one, other) => rank(one) - rank(other) || one.username.localeCompare(other.username));
  const shown = all.filter((user) => user.username.toLowerCase().includes(sought.value.toLowerCase()));
  return html`
    ${people.total > MANY ? html`<input type="search" class="search" aria-label=${t("people.search")} placeholder=${t("people.search")} onInput=${(event) => (sought.value = event.target.value)} />` : null}
    <ul class="people">${shown.map((user) => html`<${Person} key=${user.sessionId} user=${user} />`)}</ul>
    ${people.total > all.length ? html`<p class="quiet">${t("people.more", { count: people.total - all.length })}</p>` : null}`;
}

function Person({ user }) {
  const session = useSession();
  const { state } = session;
  const isMe = user.sessionId === state.room.me.sessionId;
  const actions = session.registry.personActions.filter((action) => action.fits(user, state));
  const open = () => (session.dialog.value = () => html`<${Menu} title=${html`<bdi>${user.username}</bdi>`} actions=${actions} subject=${user} />`);
  const shown = html`<${Avatar} name=${user.username} id=${user.anonymousId} /><span class="ellipsis"><${Name} name=${user.username} role=${user.role} />${isMe ? html` <span class="quiet">${t("people.you")}</span>` : null}</span>`;
  return html`<li>${actions.length > 0 ? html`<button type="button" class="person" onClick=${open}>${shown}</button>` : html`<div class="person">${shown}</div>`}</li>`;
}

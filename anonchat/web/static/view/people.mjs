/** Who is there. */

import { html, useEffect, useSignal } from "../ui.mjs";
import { rest, roomPath } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { useSession } from "./context.mjs";
import { Menu } from "./menu.mjs";
import { Avatar, Name } from "./parts.mjs";

const MANY = 12; // people from which on they can be searched
const PAUSE = 300; // ms in which nothing is typed before the server is asked

export function People() {
  const session = useSession();
  const sought = useSignal("");
  const { people, room } = session.state;
  const rank = (user) => (user.sessionId === room.me.sessionId ? 0 : user.role === "moderator" ? 1 : 2);
  const all = Object.values(people.all).sort((one, other) => rank(one) - rank(other) || one.username.localeCompare(other.username));
  const isWhole = people.total <= all.length;
  const unlisted = useUnlisted(isWhole ? "" : sought.value.trim());
  const listed = all.filter((user) => user.username.toLowerCase().includes(sought.value.trim().toLowerCase()));
  const shown = [...listed, ...(unlisted ?? []).filter((user) => !(user.sessionId in people.all))];
  return html`
    ${people.total > MANY ? html`<input type="search" class="search" maxlength="64" aria-label=${t("people.search")} placeholder=${t("people.search")} onInput=${(event) => (sought.value = event.target.value)} />` : null}
    <ul class="people">${shown.map((user) => html`<${Person} key=${user.sessionId} user=${user} />`)}</ul>
    ${shown.length === 0 && (isWhole || unlisted !== null) ? html`<p class="quiet" role="status">${t("people.none")}</p>` : null}
    ${!isWhole && sought.value === "" ? html`<p class="quiet">${t("people.more", { count: people.total - all.length })}</p>` : null}`;
}

/** Those who have a place in a crowd and such a name: the page knows only some. Null while nothing is sought or known. */
function useUnlisted(sought) {
  const { roomId, token, problem } = useSession();
  const found = useSignal(null);
  useEffect(() => {
    found.value = null;
    if (sought === "") return undefined;
    let isOver = false;
    const path = roomPath(roomId, `/participants?limit=200&search=${encodeURIComponent(sought)}`);
    const took = ({ participants }) => isOver || (found.value = participants);
    const ask = () => rest("GET", path, undefined, token).then(took, (error) => isOver || (problem.value = error));
    const timer = setTimeout(ask, PAUSE);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [sought]);
  return found.value;
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

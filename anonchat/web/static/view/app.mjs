/** What the page shows: the front page, the way into a room, the room, how it ended, or the operator's page. */

import { html, useEffect, useState } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { ClientContext, useClient } from "./context.mjs";
import { Home } from "./home.mjs";
import { Join } from "./join.mjs";

/** The page. */
export const App = ({ client }) => html`
  <${ClientContext.Provider} value=${client}><${View} /></${ClientContext.Provider}>`;

function View() {
  const client = useClient();
  const { name, roomId } = client.view.value;
  if (name === "home") return html`<${Home} />`;
  if (client.isIncomplete.value) return html`<${Incomplete} />`;
  if (name === "admin") return html`<${Admin} />`;
  const session = client.session.value;
  if (client.entering.value === roomId) return html`<p class="waiting" role="status">${t("waiting")}</p>`;
  if (session?.roomId !== roomId) return html`<${Join} key=${`${roomId} ${client.drawerOf(roomId).get("secret")}`} roomId=${roomId} />`;
  const { Closing, RoomView } = client.stay;
  return session.chat.status.value.kind === "over" ? html`<${Closing} session=${session} />` : html`<${RoomView} />`;
}

/** A part of the page is not to be had: the server was renewed and has another one now, or there is no network. */
const Incomplete = () => html`
  <div class="page">
    <header class="page-head"><a class="brand" href="/">anonchat</a></header>
    <main class="front narrow">
      <section class="card" role="alert">
        <h1>${t("incomplete.title")}</h1>
        <p class="lead">${t("incomplete.why")}</p>
        <div class="row"><button type="button" class="button primary" onClick=${() => location.reload()}>${t("closing.reload")}</button></div>
      </section>
    </main>
  </div>`;

/** Is loaded only by who asks for it. */
function Admin() {
  const client = useClient();
  const [loaded, setLoaded] = useState(null);
  useEffect(() => {
    Promise.all([import("../admin/admin.mjs"), client.load()]).then(([{ Admin: component }]) => setLoaded({ component }), () => (client.isIncomplete.value = true));
  }, []);
  return loaded ? html`<${loaded.component} />` : html`<p class="waiting">${t("waiting")}</p>`;
}

/** The way into a room: what it is, what is kept, and a name. */

import { html, useEffect, useSignal } from "../ui.mjs";
import { rest, roomPath } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { suggestName } from "../text/names.mjs";
import { useClient } from "./context.mjs";
import { lifeOf } from "./facts.mjs";
import { Languages } from "./languages.mjs";
import { IconButton, Problem, reason } from "./parts.mjs";
import { Receipt } from "./receipt.mjs";

const READING = 1_000; // ms after which the rest is loaded, while somebody reads what they are invited to
const HOPELESS = new Set(["room_not_found", "room_ended", "invalid_invite", "banned", "room_closed"]);

export function Join({ roomId }) {
  const client = useClient();
  const room = useSignal(null);
  const problem = useSignal(null);
  const look = () => {
    problem.value = null;
    rest("GET", roomPath(roomId)).then((found) => (room.value = found), (error) => (problem.value = error));
  };
  useEffect(look, [roomId]);
  useEffect(() => {
    document.title = room.value?.title ?? "anonchat";
  });
  const hasSecret = client.drawerOf(roomId).get("secret") !== undefined;
  const again = problem.value === null || HOPELESS.has(problem.value.code) ? null : look;
  const stop = problem.value ?? (hasSecret ? null : { code: "no_secret" });
  return html`
    <div class="page">
      <header class="page-head"><a class="brand" href="/">anonchat</a><${Languages} /></header>
      <main class="front narrow">
        ${stop ? html`<${NoWay} roomId=${roomId} error=${stop} again=${again} />` : room.value ? html`<${Entrance} room=${room.value} stopped=${problem} />` : html`<p class="waiting" role="status">${t("waiting")}</p>`}
      </main>
      <footer class="page-foot"><a href="/privacy">${t("privacy.link")}</a></footer>
    </div>`;
}

/** Each reason why there is no way in has its own sentence, and says what to do next; `again` looks once more, where that helps. */
function NoWay({ roomId, error, again }) {
  const client = useClient();
  const report = useSignal(null);
  useEffect(() => {
    if (error.code !== "room_ended") return;
    rest("GET", roomPath(roomId, "/deletion-report")).then((found) => (report.value = found), () => {}); // during the grace there is none
  }, [error.code]);
  return html`
    <section class="card" role="alert">
      <h1>${t("noway.title")}</h1>
      <p class="lead">${reason(error)}</p>
      <${Receipt} deleted=${report.value?.deleted} />
      <div class="row">
        ${again ? html`<button type="button" class="button primary" onClick=${again}>${t("action.retry")}</button>` : null}
        ${client.isEmbedded ? null : html`<button type="button" class="button" onClick=${() => client.home()}>${t("noway.home")}</button>`}
      </div>
    </section>`;
}

function Entrance({ room, stopped }) {
  const client = useClient();
  const problem = useSignal(null);
  const isBusy = useSignal(false);
  const name = useSignal(client.drawerOf(room.roomId).get("name") ?? suggestName());
  useEffect(() => {
    const timer = setTimeout(() => client.load().catch(() => {}), READING); // who goes in is told of it
    return () => clearTimeout(timer);
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    isBusy.value = true;
    try {
      client.drawerOf(room.roomId).set("name", name.value);
      await client.join(room.roomId, name.value.trim());
    } catch (error) {
      if (HOPELESS.has(error.code)) stopped.value = error;
      else problem.value = error;
    }
    isBusy.value = false;
  };
  return html`
    <form class="card" onSubmit=${submit}>
      <p class="eyebrow">${t("join.invited")}</p>
      <h1 dir="auto">${room.title}</h1>
      ${room.description ? html`<p class="lead" dir="auto">${room.description}</p>` : null}
      <${Facts} room=${room} />
      <div class="with-button">
        <label>${t("join.name")}
          <input name="name" required minlength="2" maxlength="128" autocomplete="off" dir="auto" autofocus=${!client.isEmbedded} value=${name.value} onInput=${(event) => (name.value = event.target.value)} onFocus=${(event) => event.target.select()} aria-describedby="name-hint" />
        </label>
        <${IconButton} icon="again" label=${t("join.another")} onClick=${() => (name.value = suggestName())} />
      </div>
      <p class="hint" id="name-hint">${t("join.nameHint")}</p>
      <${Problem} error=${problem.value} />
      <button class="button primary" disabled=${isBusy.value}>${t("join.do")}</button>
    </form>`;
}

const Facts = ({ room }) => html`
  <ul class="facts">
    <li>${t("join.people", { count: room.actualParticipants, most: room.maxParticipants })}</li>
    ${lifeOf(room).map((sentence) => html`<li>${sentence}</li>`)}
    <li>${t("join.seen")}</li>
    <li>${t("join.moderators")}</li>
  </ul>`;

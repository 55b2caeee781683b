/** The front page: open a room, or come into one by a link or code. */

import { html, useEffect, useSignal } from "../ui.mjs";
import { rest } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { span } from "../texts/times.mjs";
import { codeOf, linkOf, parseLink } from "../text/links.mjs";
import { useClient } from "./context.mjs";
import { Copyable, Problem } from "./parts.mjs";
import { Languages } from "./languages.mjs";
import { QrCode } from "./qr.mjs";

const HOUR = 3_600;
const LIFETIMES = [HOUR, 24 * HOUR, 7 * 24 * HOUR, null];
const RETENTIONS = [HOUR, 24 * HOUR, 7 * 24 * HOUR, null];

export function Home() {
  const created = useSignal(null);
  useEffect(() => {
    document.title = t("home.title");
  });
  return html`
    <div class="page">
      <header class="page-head"><span class="brand">anonchat</span><${Languages} /></header>
      <main class="front">
        ${created.value ? html`<${Created} room=${created.value} />` : html`<${Welcome} created=${created} />`}
      </main>
      <footer class="page-foot"><a href="/privacy">${t("privacy.link")}</a><a href="/api/docs">${t("home.api")}</a></footer>
    </div>`;
}

const Welcome = ({ created }) => html`
  <div class="hero">
    <h1>${t("home.headline")}</h1>
    <p class="lead">${t("home.lead")}</p>
  </div>
  <div class="cards">
    <${CreateForm} created=${created} />
    <${JoinForm} />
  </div>`;

function CreateForm({ created }) {
  const problem = useSignal(null);
  const isBusy = useSignal(false);
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    isBusy.value = true;
    try {
      created.value = await rest("POST", "/api/rooms", wanted(form));
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  };
  return html`
    <form class="card" onSubmit=${submit}>
      <h2>${t("create.title")}</h2>
      <label>${t("create.name")}<input name="title" required maxlength="120" autocomplete="off" placeholder=${t("create.example")} /></label>
      <div class="pair">
        <label>${t("create.lifetime")}<${Spans} name="lifetime" spans=${LIFETIMES} preset=${24 * HOUR} none=${t("create.endless")} /></label>
        <label>${t("create.retention")}<${Spans} name="retention" spans=${RETENTIONS} preset=${24 * HOUR} none=${t("create.untilEnd")} /></label>
      </div>
      <${Problem} error=${problem.value} />
      <button class="button primary" disabled=${isBusy.value}>${t("create.do")}</button>
    </form>`;
}

const Spans = ({ name, spans, preset, none }) => html`
  <select name=${name}>${spans.map((seconds) => html`
    <option value=${seconds ?? ""} selected=${seconds === preset}>${seconds === null ? none : span(seconds)}</option>`)}
  </select>`;

/** The body of the request. A room in which messages stay is one that is not ephemeral; one without an end, too. */
function wanted(form) {
  const [lifetime, retention] = ["lifetime", "retention"].map((name) => Number(form.get(name)) || null);
  return {
    title: form.get("title").trim(),
    ephemeral: retention !== null,
    ...(lifetime === null ? {} : { chatDurationSeconds: lifetime }),
    ...(retention === null ? {} : { retentionSeconds: retention }),
  };
}

function JoinForm() {
  const client = useClient();
  const isWrong = useSignal(false);
  const submit = (event) => {
    event.preventDefault();
    const found = parseLink(new FormData(event.target).get("link"), location.origin);
    isWrong.value = found === null;
    if (found !== null) client.visit(found.roomId, found.secret);
  };
  return html`
    <form class="card" onSubmit=${submit}>
      <h2>${t("enter.title")}</h2>
      <label>${t("enter.link")}<input name="link" required dir="ltr" autocomplete="off" autocapitalize="off" spellcheck=${false} aria-describedby="link-problem" /></label>
      <p class="hint">${t("enter.hint")}</p>
      <p class="problem" role="alert" id="link-problem">${isWrong.value ? t("enter.wrong") : null}</p>
      <button class="button">${t("enter.do")}</button>
    </form>`;
}

/** The secrets of a new room; the moderators' is told this once. */
function Created({ room }) {
  const client = useClient();
  const go = () => {
    client.drawerOf(room.roomId).set("invite", room.inviteToken);
    client.visit(room.roomId, room.moderatorToken);
  };
  const link = linkOf(location.origin, room.roomId, room.inviteToken);
  return html`
    <section class="card created">
      <h1>${t("created.title")}</h1>
      <p class="lead">${t("created.lead")}</p>
      <div class="with-qr">
        <div>
          <${Copyable} label=${t("share.link")} text=${link} />
          <${Copyable} label=${t("share.code")} text=${codeOf(room.roomId, room.inviteToken)} />
        </div>
        <${QrCode} text=${link} />
      </div>
      <${Copyable} label=${t("created.moderators")} text=${linkOf(location.origin, room.roomId, room.moderatorToken)} isSecret=${true} />
      <p class="hint">${t("created.once")}</p>
      <button type="button" class="button primary" onClick=${go}>${t("created.go")}</button>
    </section>`;
}

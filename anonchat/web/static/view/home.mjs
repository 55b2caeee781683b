/** The front page: open a room, or come into one by a link or code. */

import { html, useEffect, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { parseLink } from "../text/links.mjs";
import { useClient } from "./context.mjs";
import { CreateForm } from "./create.mjs";
import { Created } from "./created.mjs";
import { Icon } from "./icons.mjs";
import { Languages } from "./languages.mjs";
import { canScan, Scanner } from "./scanner.mjs";

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

function JoinForm() {
  const client = useClient();
  const isWrong = useSignal(false);
  const isScanning = useSignal(false);
  const go = (text) => {
    const link = parseLink(text, location.origin);
    if (link !== null) client.visit(link.roomId, link.secret);
    return link !== null;
  };
  const submit = (event) => {
    event.preventDefault();
    isWrong.value = !go(new FormData(event.target).get("link"));
  };
  return html`
    <form class="card" onSubmit=${submit}>
      <h2>${t("enter.title")}</h2>
      <label>${t("enter.link")}<input name="link" required dir="ltr" autocomplete="off" autocapitalize="off" spellcheck=${false} aria-describedby="link-problem" /></label>
      <p class="hint">${t("enter.hint")}</p>
      <p class="problem" role="alert" id="link-problem">${isWrong.value ? t("enter.wrong") : null}</p>
      <div class="row">
        <button class="button grows">${t("enter.do")}</button>
        ${canScan() ? html`<button type="button" class="button" onClick=${() => (isScanning.value = true)}><${Icon} name="scan" />${t("scan.do")}</button>` : null}
      </div>
    </form>
    ${isScanning.value ? html`<${Scanner} found=${go} close=${() => (isScanning.value = false)} />` : null}`;
}

/** Everything about the room in one place: who moderates, when what goes, privacy; and the way out. */

import { html, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { isModerator, moderators } from "../state/selectors.mjs";
import { useClient, useSession } from "./context.mjs";
import { lifeOf, moderation } from "./facts.mjs";
import { Icon } from "./icons.mjs";
import { Dialog, Problem } from "./parts.mjs";
import { saveTranscript } from "./transcript.mjs";

export function About() {
  const session = useSession();
  const { state } = session;
  const close = () => (session.dialog.value = null);
  const { details } = state.room;
  return html`
    <${Dialog} title=${t("about.title")} close=${close}>
      <h3 dir="auto">${details.title}</h3>
      ${details.description ? html`<p dir="auto">${details.description}</p>` : null}
      <ul class="facts">
        ${[...lifeOf(details), moderation(moderators(state)), t("join.seen")].map((sentence) => html`<li>${sentence}</li>`)}
        ${details.isOpen === false ? html`<li>${t("about.closed")}</li>` : null}
        <li><a href="/privacy">${t("privacy.link")}</a></li>
      </ul>
      ${isModerator(state) ? html`<${Transcript} />` : null}
      <${Leaving} allowsForget=${details.settings?.allowForget !== false} />
    </${Dialog}>`;
}

function Transcript() {
  const session = useSession();
  const problem = useSignal(null);
  const save = () => saveTranscript(session).catch((error) => (problem.value = error));
  return html`
    <div><button type="button" class="button" onClick=${save}><${Icon} name="down" />${t("about.save")}</button></div>
    <${Problem} error=${problem.value} />`;
}

function Leaving({ allowsForget }) {
  const client = useClient();
  const session = useSession();
  const problem = useSignal(null);
  const leave = (forget) => async () => {
    try {
      await client.leave(forget);
      session.dialog.value = null;
    } catch (error) {
      problem.value = error;
    }
  };
  return html`
    <section class="leaving">
      <h3>${t("leave.title")}</h3>
      <p class="hint">${allowsForget ? t("leave.hint") : t("leave.noForget")}</p>
      <${Problem} error=${problem.value} />
      <div class="row">
        <button type="button" class="button" onClick=${leave(false)}><${Icon} name="leave" />${t("leave.do")}</button>
        ${allowsForget ? html`<button type="button" class="button grave" onClick=${leave(true)}><${Icon} name="delete" />${t("leave.forget")}</button>` : null}
      </div>
    </section>`;
}

/** Everything about the room in one place: who moderates, when what goes, privacy; and the way out. */

import { html, useEffect, useRef, useSignal } from "../ui.mjs";
import { rest, roomPath } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { isModerator, moderators } from "../state/selectors.mjs";
import { Confirm } from "./confirm.mjs";
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
      <${Subject} details=${details} mayChange=${isModerator(state)} />
      <ul class="facts">
        ${[...lifeOf(details), moderation(moderators(state)), t("join.seen")].map((sentence) => html`<li>${sentence}</li>`)}
        ${details.isOpen === false ? html`<li>${t("about.closed")}</li>` : null}
        <li><a href="/privacy">${t("privacy.link")}</a></li>
      </ul>
      ${isModerator(state) ? html`<${Transcript} />` : null}
      <${Leaving} allowsForget=${details.settings?.allowForget !== false} />
    </${Dialog}>`;
}

/** What the room is about, and for moderators the way to say it otherwise. */
function Subject({ details: { title, description }, mayChange }) {
  const isChanging = useSignal(false);
  const wasChanging = useRef(false);
  const button = useRef(null);
  useEffect(() => {
    if (wasChanging.current) button.current?.focus(); // where one was before
    wasChanging.current = isChanging.value;
  }, [isChanging.value]);
  if (isChanging.value) return html`<${Changing} title=${title} description=${description} done=${() => (isChanging.value = false)} />`;
  return html`
    <h3 dir="auto">${title}</h3>
    ${description ? html`<p dir="auto">${description}</p>` : null}
    ${mayChange ? html`<div><button ref=${button} type="button" class="button small" onClick=${() => (isChanging.value = true)}><${Icon} name="edit" />${t("about.change")}</button></div>` : null}`;
}

function Changing({ title, description, done }) {
  const { roomId, token } = useSession();
  const problem = useSignal(null);
  const first = useRef(null);
  useEffect(() => first.current.focus(), []);
  const submit = async (event) => {
    event.preventDefault();
    const said = Object.fromEntries(new FormData(event.target));
    try {
      await rest("PATCH", roomPath(roomId), { title: said.title.trim(), description: said.description.trim() }, token);
      done();
    } catch (error) {
      problem.value = error;
    }
  };
  return html`
    <form class="form" onSubmit=${submit}>
      <label>${t("create.name")}<input name="title" required maxlength="120" autocomplete="off" dir="auto" ref=${first} defaultValue=${title} /></label>
      <label>${t("create.description")}<textarea name="description" rows="3" maxlength="1000" dir="auto" defaultValue=${description}></textarea></label>
      <${Problem} error=${problem.value} />
      <div class="row"><button class="button primary">${t("about.changed")}</button><button type="button" class="button" onClick=${done}>${t("action.cancel")}</button></div>
    </form>`;
}

function Transcript() {
  const session = useSession();
  const problem = useSignal(null);
  const save = () => saveTranscript(session).then(() => (problem.value = null), (error) => (problem.value = error));
  return html`
    <div><button type="button" class="button" onClick=${save}><${Icon} name="down" />${t("about.save")}</button></div>
    <${Problem} error=${problem.value} />`;
}

function Leaving({ allowsForget }) {
  const client = useClient();
  const session = useSession();
  const problem = useSignal(null);
  const leave = async () => {
    try {
      await client.leave(false);
      session.dialog.value = null;
    } catch (error) {
      problem.value = error;
    }
  };
  const forget = () => client.leave(true).catch((error) => (session.problem.value = error));
  const ask = () => (session.dialog.value = () => html`
    <${Confirm} title=${t("leave.sure")} text=${t("leave.gone")} yes=${t("leave.forget")} act=${forget} />`);
  return html`
    <section class="leaving">
      <h3>${t("leave.title")}</h3>
      <p class="hint">${allowsForget ? t("leave.hint") : t("leave.noForget")}</p>
      <${Problem} error=${problem.value} />
      <div class="row">
        <button type="button" class="button" onClick=${leave}><${Icon} name="leave" />${t("leave.do")}</button>
        ${allowsForget ? html`<button type="button" class="button grave" onClick=${ask}><${Icon} name="delete" />${t("leave.forget")}</button>` : null}
      </div>
    </section>`;
}

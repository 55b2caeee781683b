/** The links into the room, for moderators: what there is, how much it is used, and new ones. */

import { html, useEffect, useSignal } from "../ui.mjs";
import { rest, roomPath } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { moment, span } from "../texts/times.mjs";
import { linkOf } from "../text/links.mjs";
import { now } from "./clock.mjs";
import { Confirm } from "./confirm.mjs";
import { useSession } from "./context.mjs";
import { Copyable, Problem } from "./parts.mjs";

const HOUR = 3_600;
const LIVES = [HOUR, 24 * HOUR, 7 * 24 * HOUR];
const USES = [1, 10, 100];

/** `invite` is a signal for the secret that is shown to be passed on; `back` shows all this again after a question. */
export function Invites({ invite, back }) {
  const session = useSession();
  const all = useSignal(null);
  const problem = useSignal(null);
  const load = async () => {
    try {
      const { invites } = await rest("GET", roomPath(session.roomId, "/invites"), undefined, session.token);
      all.value = invites.filter((one) => one.revokedAt === null);
      problem.value = null;
    } catch (error) {
      problem.value = error;
    }
  };
  useEffect(() => void load(), []);
  return html`
    <details class="more" open=${invite.value === null}>
      <summary>${t("invites.title")}</summary>
      <div class="form">
        <${NewInvite} invite=${invite} made=${load} />
        <${Problem} error=${problem.value} />
        ${all.value?.length ? html`<ul class="entries">${all.value.map((one) => html`<${Invite} key=${one.inviteId} one=${one} back=${back} />`)}</ul>` : null}
      </div>
    </details>`;
}

function Invite({ one, back }) {
  const session = useSession();
  const path = roomPath(session.roomId, `/invites/${one.inviteId}`);
  const act = () => rest("DELETE", path, undefined, session.token).then(back, (error) => (session.problem.value = error));
  const ask = () => (session.dialog.value = () => html`<${Confirm} title=${t("invites.revoke")} text=${t("invites.revokeMeans")} yes=${t("invites.revoke")} act=${act} />`);
  const used = one.uses === 0 ? t("invites.unused") : one.maxUses === null ? t("invites.uses", { count: one.uses }) : t("invites.usesOf", { uses: one.uses, count: one.maxUses });
  const isOver = one.uses === one.maxUses || (one.expiresAt !== null && Date.parse(one.expiresAt) < session.chat.serverTime(now.value));
  return html`
    <li class="entry">
      <b>${t(`invites.for.${one.role}`)}</b>
      <span class="quiet">${t("invites.made", { moment: moment(one.createdAt) })} ${used}
        ${isOver ? ` ${t("invites.over")}` : one.expiresAt === null ? null : ` ${t("invites.until", { moment: moment(one.expiresAt) })}`}</span>
      <button type="button" class="button small grave" onClick=${ask}>${t("invites.revoke")}</button>
    </li>`;
}

/** A link for moderators is shown this once, and is not the one that is passed on to guests. */
function NewInvite({ invite, made }) {
  const session = useSession();
  const role = useSignal("participant");
  const secret = useSignal(null);
  const problem = useSignal(null);
  const make = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const [expiresInSeconds, maxUses] = ["life", "uses"].map((name) => Number(form.get(name)) || null);
    try {
      const { inviteToken } = await rest("POST", roomPath(session.roomId, "/invites"), { role: role.value, expiresInSeconds, maxUses }, session.token);
      problem.value = null;
      secret.value = role.value === "moderator" ? inviteToken : null;
      if (role.value === "participant") {
        session.drawer.set("invite", inviteToken);
        invite.value = inviteToken;
      }
      made();
    } catch (error) {
      problem.value = error;
    }
  };
  return html`
    <form class="form" onSubmit=${make}>
      <div class="trio">
        <label>${t("invites.role")}<select onChange=${(event) => (role.value = event.target.value)}>
          ${["participant", "moderator"].map((name) => html`<option value=${name}>${t(`invites.for.${name}`)}</option>`)}</select></label>
        <label>${t("invites.life")}<select name="life"><option value="">${t("invites.endless")}</option>${LIVES.map((seconds) => html`<option value=${seconds}>${span(seconds)}</option>`)}</select></label>
        <label>${t("invites.most")}<select name="uses"><option value="">${t("invites.any")}</option>${USES.map((count) => html`<option value=${count}>${t("invites.times", { count })}</option>`)}</select></label>
      </div>
      <${Problem} error=${problem.value} />
      <button class="button">${t(role.value === "moderator" ? "invites.makeModerator" : "share.make")}</button>
      ${secret.value ? html`<${Copyable} label=${t("invites.secret")} text=${linkOf(location.origin, session.roomId, secret.value)} isSecret=${true} />` : null}
    </form>`;
}

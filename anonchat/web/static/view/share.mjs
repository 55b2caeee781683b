/** Inviting others: a link, a code, a QR code, and the device's own way of sharing. */

import { html, useSignal } from "../ui.mjs";
import { rest, roomPath } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { codeOf, linkOf } from "../text/links.mjs";
import { isModerator } from "../state/selectors.mjs";
import { useSession } from "./context.mjs";
import { Copyable, Dialog, Problem } from "./parts.mjs";
import { QrCode } from "./qr.mjs";

export function Share() {
  const session = useSession();
  const { drawer, membership } = session;
  const invite = useSignal(drawer.get("invite") ?? membership.invite ?? null);
  const close = () => (session.dialog.value = null);
  return html`
    <${Dialog} title=${t("share.title")} close=${close}>
      ${invite.value ? html`<${Links} secret=${invite.value} />` : html`<${Make} invite=${invite} />`}
    </${Dialog}>`;
}

function Links({ secret }) {
  const { roomId, state } = useSession();
  const link = linkOf(location.origin, roomId, secret);
  const share = () => navigator.share({ title: state.room.details.title, url: link }).catch(() => {}); // closed without sharing
  return html`
    <p class="hint">${t("share.hint")}</p>
    <div class="with-qr">
      <div>
        <${Copyable} label=${t("share.link")} text=${link} />
        <${Copyable} label=${t("share.code")} text=${codeOf(roomId, secret)} />
        ${navigator.share ? html`<button type="button" class="button" onClick=${share}>${t("share.sheet")}</button>` : null}
      </div>
      <${QrCode} text=${link} />
    </div>`;
}

/** Who came by the moderators' link has none to give away; moderators can make one. */
function Make({ invite }) {
  const session = useSession();
  const problem = useSignal(null);
  const make = async () => {
    try {
      const made = await rest("POST", roomPath(session.roomId, "/invites"), { role: "participant" }, session.token);
      session.drawer.set("invite", made.inviteToken);
      invite.value = made.inviteToken;
    } catch (error) {
      problem.value = error;
    }
  };
  if (!isModerator(session.state)) return html`<p>${t("share.none")}</p>`;
  return html`<p>${t("share.makeHint")}</p><${Problem} error=${problem.value} /><button type="button" class="button primary" onClick=${make}>${t("share.make")}</button>`;
}

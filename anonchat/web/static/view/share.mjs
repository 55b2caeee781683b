/** Inviting others: a link, a code, a QR code, and the device's own way of sharing. */

import { html, useSignal } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { codeOf, linkOf } from "../text/links.mjs";
import { isModerator } from "../state/selectors.mjs";
import { useSession } from "./context.mjs";
import { Invites } from "./invites.mjs";
import { Copyable, Dialog } from "./parts.mjs";
import { QrCode } from "./qr.mjs";

export function Share() {
  const session = useSession();
  const { drawer, membership } = session;
  const invite = useSignal(drawer.get("invite") ?? membership.invite ?? null);
  const close = () => (session.dialog.value = null);
  const again = () => (session.dialog.value = () => html`<${Share} />`);
  return html`
    <${Dialog} title=${t("share.title")} close=${close}>
      ${invite.value ? html`<${Links} secret=${invite.value} />` : html`<p>${t(isModerator(session.state) ? "share.makeHint" : "share.none")}</p>`}
      ${isModerator(session.state) ? html`<${Invites} invite=${invite} back=${again} />` : null}
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

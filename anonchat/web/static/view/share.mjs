/** Inviting others: a link, a code, a QR code, and the device's own way of sharing. */

import { html, useEffect, useSignal } from "../ui.mjs";
import { rest, roomPath } from "../browser/rest.mjs";
import { t } from "../texts/catalogue.mjs";
import { codeOf, linkOf } from "../text/links.mjs";
import { isModerator } from "../state/selectors.mjs";
import { useSession } from "./context.mjs";
import { Invites } from "./invites.mjs";
import { Copyable, Dialog } from "./parts.mjs";
import { QrCode } from "./qr.mjs";

export function Share() {
  const session = useSession();
  const invite = useSignal(inviteOf(session));
  const close = () => (session.dialog.value = null);
  const again = async () => {
    await forgetVain(session); // before it is seen once more
    session.dialog.value = () => html`<${Share} />`;
  };
  useEffect(() => void forgetVain(session).then(() => (invite.value = inviteOf(session))), []);
  return html`
    <${Dialog} title=${t("share.title")} close=${close}>
      ${invite.value ? html`<${Links} secret=${invite.value} />` : html`<p>${t(isModerator(session.state) ? "share.makeHint" : "share.none")}</p>`}
      ${isModerator(session.state) ? html`<${Invites} invite=${invite} back=${again} />` : null}
    </${Dialog}>`;
}

/** The secret that is passed on: of a link that was made here, or of the one by which one came. */
const inviteOf = ({ drawer, membership }) => drawer.get("invite") ?? membership.invite ?? null;

/** Forget secrets that open nothing any more: they were revoked, have expired or are used up, maybe by somebody else. */
async function forgetVain(session) {
  const { roomId, drawer, membership } = session;
  for (const secret of new Set([drawer.get("invite"), membership.invite])) {
    if (secret === undefined || !(await isVain(roomId, secret))) continue;
    if (drawer.get("invite") === secret) drawer.set("invite", undefined);
    if (membership.invite === secret) drawer.set("membership", (session.membership = { ...membership, invite: undefined }));
  }
}

/** Whether the server says so; where it cannot be asked nothing is known. */
const isVain = (roomId, secret) =>
  rest("POST", roomPath(roomId, "/validate-invite"), { inviteToken: secret }).then(() => false, ({ code }) => code === "invalid_invite");

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

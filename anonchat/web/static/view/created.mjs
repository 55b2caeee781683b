/** A room that has just been opened, and its secrets. */

import { html } from "../ui.mjs";
import { t } from "../texts/catalogue.mjs";
import { codeOf, linkOf } from "../text/links.mjs";
import { useClient } from "./context.mjs";
import { Copyable } from "./parts.mjs";
import { QrCode } from "./qr.mjs";

/** The moderators' secret is told this once. */
export function Created({ room }) {
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

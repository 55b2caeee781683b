/** What can be done with a message: the core's acts, then those of plugins. */

import { html } from "../ui.mjs";
import { copyText } from "../browser/clipboard.mjs";
import { t } from "../texts/catalogue.mjs";
import { EDIT_WINDOW, isModerator, isOwn } from "../state/selectors.mjs";
import { Confirm } from "./confirm.mjs";

/** `[{id, label(wire), icon, key?, isGrave?, run(wire)}]` of what may be done with a message now. */
export function actionsOn(wire, session) {
  const { state } = session;
  const isMine = isOwn(wire, state);
  const age = session.chat.serverTime() - Date.parse(wire.createdAt);
  const own = [
    { id: "reply", label: () => t("action.reply"), icon: "reply", key: "r", run: () => (session.reply.value = wire.id) },
    isMine && wire.content.type === "text" && age < EDIT_WINDOW && { id: "edit", label: () => t("action.edit"), icon: "edit", key: "e", run: () => (session.editing.value = { id: wire.id, text: wire.content.text }) },
    { id: "copy", label: () => t("action.copyText"), icon: "copy", key: "c", run: () => copyText(wire.content.text ?? "") },
    { id: "link", label: () => t("action.copyLink"), icon: "share", run: () => copyText(`${location.origin}/r/${session.roomId}#message=${wire.id}`) },
    (isMine || isModerator(state)) && { id: "delete", label: () => t("action.delete"), icon: "delete", key: "Delete", isGrave: true, run: () => remove(wire, session) },
  ];
  const added = session.registry.messageActions.filter((action) => action.fits(wire, state));
  return [...own.filter(Boolean), ...added];
}

function remove(wire, session) {
  const act = () => session.act("delete_message", { messageId: wire.id });
  session.dialog.value = () => html`<${Confirm} title=${t("delete.title")} text=${t("delete.text")} yes=${t("action.delete")} act=${act} />`;
}

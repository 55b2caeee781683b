/** What can be done to a person and with a message; every act that harms asks first. */

import { askedOf } from "./asked.mjs";

export function actsOf(api) {
  const { html, room, selectors, t } = api;
  const { Asked, Purge } = askedOf(api);
  const isOther = (user, state) => selectors.isModerator(state) && user.sessionId !== state.room.me.sessionId;
  const isParticipant = (user, state) => isOther(user, state) && user.role !== "moderator";
  const open = (component, props) => (room().dialog.value = () => html`<${component} ...${props} />`);

  const grave = (id, icon) => ({
    id, icon, isGrave: true, fits: isParticipant, label: () => t(`moderation.${id}`),
    run: (user) => open(Asked, { title: t(`moderation.${id}`), text: t(`moderation.${id}Means`, { name: user.username }), event: id, data: { targetSessionId: user.sessionId }, person: user }),
  });
  const purge = { id: "purge", icon: "delete", isGrave: true, fits: isParticipant, label: () => t("moderation.purgeAll"), run: (user) => open(Purge, { person: user }) };
  const mild = (id, icon, fits) => ({ id, icon, fits, label: () => t(`moderation.${id}`), run: (user) => room().act(id, { targetSessionId: user.sessionId }) });

  api.add("personActions", grave("mute", "bell"));
  api.add("personActions", mild("unmute", "bell", isParticipant));
  api.add("personActions", mild("promote", "shield", isParticipant));
  api.add("personActions", mild("demote", "shield", (user, state) => isOther(user, state) && user.role === "moderator"));
  api.add("personActions", grave("kick", "leave"));
  api.add("personActions", grave("ban", "close"));
  api.add("personActions", purge);

  const author = (wire) => ({ sessionId: wire.authorSessionId, username: wire.authorUsername, role: wire.authorRole });
  for (const action of [grave("mute", "bell"), grave("ban", "close"), purge]) {
    api.add("messageActions", { ...action, fits: (wire, state) => isParticipant(author(wire), state), run: (wire) => action.run(author(wire)) });
  }
  api.add("messageActions", {
    id: "report", icon: "shield", label: () => t("moderation.report"), fits: (wire, state) => !selectors.isOwn(wire, state) && !selectors.isModerator(state),
    run: (wire) => open(Asked, { title: t("moderation.report"), text: t("moderation.reportMeans"), event: "report_message", data: { messageId: wire.id }, needsReason: true }),
  });
}

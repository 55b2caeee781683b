/** Questions to a state. */

import { stillTyping } from "./people.mjs";

export const EDIT_WINDOW = 15 * 60_000;

/** Whether the server has told anything of the room yet; before that nothing may be said of it. */
export const isKnown = (state) => state.room.me.sessionId !== undefined;

export const isModerator = (state) => state.room.me.role === "moderator";
export const isOwn = (wire, state) => wire.authorSessionId === state.room.me.sessionId;
export const isGone = (wire) => wire.deletedAt !== undefined;

/** Whether a message of somebody else mentions the reader, or everybody. */
export function mentionsMe({ content, ...wire }, state) {
  if (isOwn(wire, state)) return false;
  return content.mentionsRoom === true || (content.mentionIds ?? []).includes(state.room.me.sessionId);
}

/** The message with an id, if it is known. */
export const messageOf = (state, id) => (id === undefined ? undefined : state.messages.list.findLast((wire) => wire.id === id));

/** One's own messages that can still be changed, the newest last. */
export function changeable(state, now) {
  return state.messages.list.filter((wire) =>
    isOwn(wire, state) && !isGone(wire) && wire.content.type === "text" && now - Date.parse(wire.createdAt) < EDIT_WINDOW);
}

/** What is on its way and is not shown as a message yet; the answer to a send may come after the message itself. */
export function pending(items, state) {
  const claimed = new Set();
  return items.filter((item) => {
    if (item.state !== "waiting" || item.since === undefined) return true;
    const arrived = state.messages.list.find((wire) =>
      wire.seq > item.since && isOwn(wire, state) && wire.content.text === item.text && !claimed.has(wire.id));
    if (arrived !== undefined) claimed.add(arrived.id);
    return arrived === undefined;
  });
}

/** Who is typing now, by name. */
export const typing = (state, now) => Object.values(stillTyping(state.people.typing, now)).map(({ username }) => username);

/** Moderators that are there, by name. */
export const moderators = (state) =>
  Object.values(state.people.all).filter((user) => user.role === "moderator").map((user) => user.username);

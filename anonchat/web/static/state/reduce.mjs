/**
 * What a room looks like, made of nothing but its events. Pure: a state and an event make the next state.
 *
 * The state of a client that went through any drops and replays equals that of one that never left. A part of the state
 * is a reducer `{initial, apply(part, event, data, context), repeated?}`; `context` is `{seq, at, messages}`, with the time at
 * which the event came and, for all parts but the messages themselves, the messages as they are after it.
 */

import { comings } from "./comings.mjs";
import { messages } from "./messages.mjs";
import { people } from "./people.mjs";
import { room } from "./room.mjs";

const CHANGES = 300;
const REPEATED = new Set(["message_edited", "message_deleted", "messages_removed"]);

/** The reducers of the core, by the name of their part. */
export const CORE = { room, people, comings };

/** The state before anything came. `parts` are reducers by name. */
export function initial(parts) {
  const begun = Object.entries(parts).map(([name, part]) => [name, part.initial]);
  return { messages: messages.initial, changes: [], ...Object.fromEntries(begun) };
}

/** The state after an event; what is not known changes nothing. */
export function reduce(parts, state, event, data, { seq = null, at = 0 } = {}) {
  const remembered = remember(parts, state, event, data, seq);
  const next = change(parts, remembered, event, data, { seq, at });
  if (event !== "history_chunk") return next;
  // A page may have been read before a change that overtook it on the way; then the change is repeated.
  const later = next.changes.filter((item) => item.seq > data.seq);
  return later.reduce((now, item) => change(parts, now, item.event, item.data, { seq: item.seq, at }), next);
}

function remember(parts, state, event, data, seq) {
  if (event === "history_chunk" && data.recovered === false) return { ...state, changes: [] };
  const isRepeated = REPEATED.has(event) || Object.values(parts).some(({ repeated }) => repeated?.includes(event));
  if (seq === null || !isRepeated) return state;
  return { ...state, changes: [...state.changes, { event, data, seq }].slice(-CHANGES) };
}

function change(parts, state, event, data, { seq, at }) {
  const after = messages.apply(state.messages, event, data, { seq, at });
  const next = { ...state, messages: after };
  for (const [name, part] of Object.entries(parts)) {
    next[name] = part.apply(state[name], event, data, { seq, at, messages: after });
  }
  return next;
}

/** The room itself, oneself in it, and how it ended: `me` is `identified` without the room, as presence has changed it. */

const initial = { details: {}, me: {}, plugins: [], limits: {}, ended: null, removed: null };

const EVENTS = {
  hello: (part, { plugins, limits }) => ({ ...part, plugins, limits }),
  identified(part, { room, ...me }) {
    return { ...part, details: room, me, removed: null };
  },
  room_updated: (part, { room }) => ({ ...part, details: { ...part.details, ...room } }),
  room_closed: (part) => ({ ...part, details: { ...part.details, isOpen: false } }),
  room_ended: (part, data) => ({ ...part, ended: data }),
  kicked: (part, data) => ({ ...part, removed: data }),
  presence_state: (part, { users }) => users.reduce(known, part),
  presence: (part, { event, user }) => (event === "change" ? known(part, user) : part),
};

/** What is told of somebody changes oneself, if it is that. */
function known(part, user) {
  return user.sessionId === part.me.sessionId ? { ...part, me: { ...part.me, ...user } } : part;
}

export const room = {
  initial,
  apply: (part, event, data) => EVENTS[event]?.(part, data) ?? part,
};

/** The room itself, oneself in it, and how it ended: `me` is `identified` without the room. */

const initial = { details: {}, me: {}, plugins: [], limits: {}, ended: null, removed: null, endsInSeconds: null };

const EVENTS = {
  hello: (part, { plugins, limits }) => ({ ...part, plugins, limits }),
  identified(part, { room, ...me }) {
    return { ...part, details: room, me, removed: null, endsInSeconds: null };
  },
  room_updated: (part, { room }) => ({ ...part, details: { ...part.details, ...room } }),
  room_closed: (part) => ({ ...part, details: { ...part.details, isOpen: false } }),
  room_ended: (part, data) => ({ ...part, ended: data }),
  room_ttl_warning: (part, { remainingSeconds }) => ({ ...part, endsInSeconds: remainingSeconds }),
  kicked: (part, data) => ({ ...part, removed: data }),
  presence(part, { event, user }) {
    return event === "change" && user.sessionId === part.me.sessionId ? { ...part, me: { ...part.me, ...user } } : part;
  },
};

export const room = {
  initial,
  apply: (part, event, data) => EVENTS[event]?.(part, data) ?? part,
};

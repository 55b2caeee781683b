/** Who is there, by session id (in a crowd only some of them), how many they are, and who is typing. */

const MOST_TYPING = 50;
const TYPES = 6_000; // ms for which somebody types who does not say so again

const initial = { all: {}, total: 0, typing: {} };

const without = (record, key) => Object.fromEntries(Object.entries(record).filter(([other]) => other !== key));

/** Of those who were typing: who still is, at some time. */
export const stillTyping = (all, now) => Object.fromEntries(Object.entries(all).filter(([, { at }]) => now - at < TYPES));

const EVENTS = {
  presence_state: (part, { users, total }) => ({
    ...part, total, all: Object.fromEntries(users.map((user) => [user.sessionId, user])),
  }),
  presence(part, { event, user, total }) {
    if (event === "count") return { ...part, total };
    if (event === "leave") return { ...gone(part, user.sessionId), total };
    return { ...part, total, all: { ...part.all, [user.sessionId]: user } };
  },
  presence_removed: (part, { sessionId }) => gone(part, sessionId),
  typing(part, { sessionId, username, typing }, { at }) {
    const others = stillTyping(without(part.typing, sessionId), at);
    if (!typing || Object.keys(others).length >= MOST_TYPING) return { ...part, typing: others };
    return { ...part, typing: { ...others, [sessionId]: { username, at } } };
  },
  message: (part, { authorSessionId }) =>
    authorSessionId in part.typing ? { ...part, typing: without(part.typing, authorSessionId) } : part,
  identified: (part) => ({ ...part, typing: {} }),
};

function gone(part, sessionId) {
  return { ...part, all: without(part.all, sessionId), typing: without(part.typing, sessionId) };
}

export const people = {
  initial,
  apply: (part, event, data, context) => EVENTS[event]?.(part, data, context) ?? part,
};

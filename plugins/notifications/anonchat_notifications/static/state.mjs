/** The unread notifications by id, the newest first, and how many there are in all. Pure. */

const MOST = 200;
const EXCERPT = 200; // characters of a message that the server puts into a notification

/** `removal(event, data)` says which messages an event takes away. */
export function notificationsOf(removal) {
  const events = {
    notifications: (_, { notifications, unread }) => ({ all: notifications.filter((one) => !one.read), unread }),
    notification(part, one) {
      const others = part.all.filter(({ id }) => id !== one.id);
      const isNew = others.length === part.all.length;
      return { all: [one, ...others].slice(0, MOST), unread: part.unread + (isNew ? 1 : 0) };
    },
    message_edited: (part, { message }) => ({ ...part, all: part.all.map((one) => edited(one, message)) }),
  };
  return {
    initial: { all: [], unread: 0 },
    apply(part, event, data) {
      if (event !== "message_deleted" && event !== "messages_removed") return events[event]?.(part, data) ?? part;
      const isGone = removal(event, data);
      const all = part.all.filter(({ message }) => message === undefined || !isGone(message.id, message.seq));
      return { all, unread: Math.max(0, part.unread - (part.all.length - all.length)) };
    },
  };
}

function edited(one, { id, content }) {
  if (one.message?.id !== id || typeof content.text !== "string") return one;
  const excerpt = content.text.length <= EXCERPT ? content.text : `${content.text.slice(0, EXCERPT).trimEnd()}…`;
  return { ...one, message: { ...one.message, excerpt } };
}

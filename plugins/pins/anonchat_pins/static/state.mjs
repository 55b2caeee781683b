/** The pinned messages by id, in the order of pinning: the message as it is now, null if it is not known here. Pure. */

const MOST = 1_000;

/** `removal(event, data)` says which messages an event takes away. */
export function pinsOf(removal) {
  const events = {
    pinned_messages: (part, { messages, hasMore }) => ({ all: Object.fromEntries(messages.map((wire) => [wire.id, wire])), hasMore: hasMore === true }),
    message_pinned(part, { messageId }, { messages }) {
      if (messageId in part.all) return part;
      const known = messages.list.find((wire) => wire.id === messageId) ?? null;
      return { ...part, all: Object.fromEntries([...Object.entries(part.all), [messageId, known]].slice(-MOST)) };
    },
    message_unpinned: (part, { messageId }) => without(part, (id) => id === messageId),
    message_edited: (part, { message }) => (message.id in part.all ? { ...part, all: { ...part.all, [message.id]: message } } : part),
  };
  return {
    initial: { all: {}, hasMore: false },
    apply(part, event, data, context) {
      if (event === "message_deleted" || event === "messages_removed") {
        const isGone = removal(event, data);
        return without(part, (id, wire) => isGone(id, wire?.seq));
      }
      return events[event]?.(part, data, context) ?? part;
    },
  };
}

function without(part, isGone) {
  return { ...part, all: Object.fromEntries(Object.entries(part.all).filter(([id, wire]) => !isGone(id, wire))) };
}

/** The messages that are known, as they are on the wire, in the order of their seq; the oldest are let go first. */

const MOST = 10_000;

/** Whether there are older messages that can be had: the server has some, and nothing is let go for them. */
export const hasOlder = ({ list, hasMore }) => hasMore && list.length < MOST;

const initial = { list: [], hasMore: false };

/** The seq of the last change of a message. */
const changedAt = (wire) => wire.changedSeq ?? wire.seq;

const EVENTS = {
  history_chunk(part, page) {
    const list = page.recovered === false ? [] : part.list;
    const oldest = list[0];
    const isOlder = oldest === undefined || page.messages.length === 0 || page.messages[0].seq < oldest.seq;
    const hasMore = isOlder ? page.hasMore : part.hasMore;
    return bounded({ list: merged(list, page.messages), hasMore });
  },
  message: (part, wire) => bounded({ ...part, list: merged(part.list, [wire]) }),
  message_edited(part, { message }) {
    const index = place(part.list, message.id);
    if (index < 0 || changedAt(message) < changedAt(part.list[index])) return part;
    return { ...part, list: part.list.with(index, message) };
  },
  message_deleted(part, { messageId, deletedAt }, { seq }) {
    const index = place(part.list, messageId);
    if (index < 0 || changedAt(part.list[index]) >= (seq ?? 0)) return part;
    const { editedAt, replyToId, ext, ...left } = part.list[index];
    const content = { type: "text", text: "" };
    return { ...part, list: part.list.with(index, { ...left, content, mentions: [], deletedAt, changedSeq: seq }) };
  },
  messages_removed(part, data) {
    const isGone = removal("messages_removed", data);
    return { ...part, list: part.list.filter((wire) => !isGone(wire.id, wire.seq)) };
  },
};

/** Where the message with an id stands, or -1; what changes is new as a rule, so it is looked for from the end. */
const place = (list, id) => list.findLastIndex((wire) => wire.id === id);

/** Both together; of two copies of a message the one that was changed later. */
function merged(list, page) {
  if (page.length === 0) return list;
  if (list.length === 0 || list.at(-1).seq < page[0].seq) return [...list, ...page];
  if (page.at(-1).seq < list[0].seq) return [...page, ...list];
  const known = new Map(list.map((wire) => [wire.id, wire]));
  for (const wire of page) {
    const before = known.get(wire.id);
    if (before === undefined || changedAt(wire) >= changedAt(before)) known.set(wire.id, wire);
  }
  return [...known.values()].sort((one, other) => one.seq - other.seq);
}

function bounded(part) {
  return part.list.length > MOST ? { list: part.list.slice(-MOST), hasMore: true } : part;
}

/** Of `message_deleted` or `messages_removed`: whether a message with this id and seq is gone; no seq is not known. */
export function removal(event, data) {
  const ids = new Set(event === "message_deleted" ? [data.messageId] : data.messageIds ?? []);
  const through = event === "message_deleted" ? 0 : data.throughSeq ?? 0;
  return (id, seq) => ids.has(id) || (seq !== null && seq !== undefined && seq <= through);
}

export const messages = {
  initial,
  apply: (part, event, data, context) => EVENTS[event]?.(part, data, context) ?? part,
};

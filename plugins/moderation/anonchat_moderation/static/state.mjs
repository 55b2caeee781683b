/** The rules that hold, whether one is muted, which messages wait, and how many reports. Pure.
 *
 * `held` are the oldest that wait; where there are more, the others are asked for when these are decided.
 */

const MOST_HELD = 500;

const initial = { rules: { preset: null, slowModeSeconds: null, panic: false }, muted: null, held: {}, hasMoreHeld: false, reports: 0 };

const rulesOf = ({ preset, slowModeSeconds, panic }) => ({ preset, slowModeSeconds, panic });

function arrived(part, one) {
  if (part.hasMoreHeld && !(one.message.id in part.held)) return part;
  return { ...part, held: Object.fromEntries([...Object.entries(part.held), [one.message.id, one]].slice(-MOST_HELD)) };
}

function without(part, messageId) {
  if (!(messageId in part.held)) return part;
  const { [messageId]: _, ...held } = part.held;
  return { ...part, held };
}

const EVENTS = {
  identified: (part) => ({ ...part, muted: null, reports: 0 }), // who still is muted is told so after each `identified`
  muted: (part, data) => ({ ...part, muted: data }),
  unmuted: (part) => ({ ...part, muted: null }),
  moderation: (part, data) => ({ ...part, rules: rulesOf(data) }),
  moderation_changed: (part, data) => ({ ...part, rules: rulesOf(data) }),
  held_messages: (part, { messages, hasMore }) => ({ ...part, held: Object.fromEntries(messages.map((one) => [one.message.id, one])), hasMoreHeld: hasMore === true }),
  held_message: arrived,
  message: (part, { id }) => without(part, id),
  message_released: (part, { messageId }) => without(part, messageId),
  message_dropped: (part, { messageId }) => without(part, messageId),
  message_deleted: (part, { messageId }) => without(part, messageId),
  message_reported: (part, { open }) => ({ ...part, reports: open }),
  report_resolved: (part, { open }) => ({ ...part, reports: open }),
  report_count: (part, { open }) => ({ ...part, reports: open }),
};

/** Whether all that is known to wait is decided, and there is more. */
export const isUsedUp = ({ held, hasMoreHeld }) => hasMoreHeld && Object.keys(held).length === 0;

export const moderation = {
  initial,
  apply: (part, event, data) => EVENTS[event]?.(part, data) ?? part,
};

/** How the polls of a room stand, and what one has voted for oneself: by poll id. Pure. */

const MOST = 1_000;
const STATE = ["secrecy", "closesAt", "closedAt", "voters", "totals", "discarded", "optionIds", "voted"];
const UNKNOWN = Object.fromEntries(STATE.map((name) => [name, null]));

/** `removal(event, data)` says which messages an event takes away. */
export function pollsOf(removal) {
  return {
    initial: {},
    repeated: ["poll_update", "poll_closed"],
    apply(part, event, data) {
      if (event === "message_deleted" || event === "messages_removed") {
        const isGone = removal(event, data);
        return Object.fromEntries(Object.entries(part).filter(([, poll]) => !isGone(poll.messageId, poll.seq)));
      }
      return EVENTS[event]?.(part, data) ?? part;
    },
  };
}

const EVENTS = {
  history_chunk: (part, { recovered, messages }) => messages.reduce(carried, recovered === false ? {} : part),
  message: (part, wire) => carried(part, wire),
  message_edited: (part, { message }) => carried(part, message),
  poll_update: (part, data) => put(part, data, told(data)),
  poll_closed: (part, data) => put(part, data, told(data)),
  poll_results: (part, data) => put(part, data, told(data)),
  open_polls: (part, { polls }) => polls.reduce((all, poll) => put(all, poll, Object.fromEntries(STATE.map((name) => [name, poll[name] ?? null]))), part),
  vote_recorded: (part, { pollId, optionIds }) => own(part, pollId, { optionIds, voted: optionIds.length > 0 }),
  vote_removed: (part, { pollId, optionIds }) => own(part, pollId, { optionIds, voted: optionIds.length > 0 }),
  vote_pending: (part, { pollId }) => own(part, pollId, { voted: true }),
};

/** What an event tells; what it leaves out stays as it is known. */
const told = (data) => Object.fromEntries(STATE.filter((name) => data[name] !== undefined && data[name] !== null).map((name) => [name, data[name]]));

/** The poll of a message: new, as it begins; its present state where the server has added it. */
function carried(part, wire) {
  const { content } = wire;
  if (content.type !== "poll") return part;
  const begun = content.pollId in part ? {} : beginning(wire);
  return put(part, { pollId: content.pollId, messageId: wire.id }, { ...begun, ...told(wire.ext?.polls ?? {}), seq: wire.seq });
}

function put(part, { pollId, messageId }, change) {
  const next = { ...part, [pollId]: { ...(part[pollId] ?? { pollId, messageId, seq: null, ...UNKNOWN }), ...change } };
  const keys = Object.keys(next);
  if (keys.length > MOST) delete next[keys[0]];
  return next;
}

function own(part, pollId, change) {
  const poll = part[pollId];
  if (poll === undefined) return part;
  const isShown = poll.closedAt !== null || poll.secrecy === "open" || change.voted;
  return { ...part, [pollId]: { ...poll, ...change, ...(isShown ? {} : { totals: null }) } };
}

/** The state of a poll in which nobody has voted yet, as the server would tell it. */
function beginning({ content, createdAt }) {
  const closes = content.closesInSeconds;
  return {
    secrecy: content.secrecy,
    closesAt: closes ? new Date(Date.parse(createdAt) + closes * 1_000).toISOString() : null,
    voters: content.secrecy === "secret" ? null : 0,
    totals: content.secrecy === "open" ? Object.fromEntries(content.options.map(({ id }) => [id, 0])) : null,
    discarded: false,
    optionIds: [],
    voted: false,
  };
}

/** A room with the bundled plugins in it, as they are seen from outside: what they tell to who comes, and as it happens. */

import { moderation } from "../../../plugins/moderation/anonchat_moderation/static/state.mjs";
import { notificationsOf } from "../../../plugins/notifications/anonchat_notifications/static/state.mjs";
import { pinsOf } from "../../../plugins/pins/anonchat_pins/static/state.mjs";
import { pollsOf } from "../../../plugins/polls/anonchat_polls/static/state.mjs";
import { removal } from "../../../anonchat/web/static/state/messages.mjs";
import { Room } from "./room.mjs";

/** The reducers of the plugins, as the client's registry has them. */
export const PARTS = {
  moderation, notifications: notificationsOf(removal), pins: pinsOf(removal), polls: pollsOf(removal),
};

export class PluggedRoom extends Room {
  pinned = new Map(); // message id -> when
  polls = new Map(); // poll id -> its state; the votes of "me" are `mine`
  inbox = new Map(); // of "me": notification id -> what it tells
  heldMessages = new Map();
  rules = { preset: "relaxed", slowModeSeconds: 0, panic: false };
  muted = null;
  reports = 0;
  ids = 0;

  id(kind) {
    this.ids += 1;
    return `${kind}${this.ids}`;
  }

  // --- what happens

  pin(messageId) {
    if (this.pinned.has(messageId)) return;
    this.pinned.set(messageId, "t");
    this.happens("message_pinned", { messageId, pinnedAt: "t", pinnedBy: "p1" });
  }

  unpin(messageId) {
    if (this.pinned.delete(messageId)) this.happens("message_unpinned", { messageId });
  }

  ask(author, secrecy) {
    const pollId = this.id("poll");
    const options = ["1", "2"].map((id) => ({ id, text: `option ${id}` }));
    const content = { type: "poll", pollId, question: "?", options, secrecy, allowMultipleAnswers: false };
    const messageId = `m${this.seq + 1}`; // the poll is there before anybody is told of it
    this.polls.set(pollId, { pollId, messageId, secrecy, closedAt: null, votes: new Map() });
    this.say(author, "", { content });
  }

  vote(pollId, voter, option) {
    const poll = this.polls.get(pollId);
    if (poll.closedAt !== null || (poll.secrecy === "secret" && poll.votes.has(voter))) return;
    poll.votes.set(voter, option);
    const own = { pollId, optionIds: [option] };
    if (voter === "me") this.tell({ event: poll.secrecy === "secret" ? "vote_pending" : "vote_recorded", data: own });
    if (poll.secrecy === "secret") return;
    this.happens("poll_update", this.publicState(poll));
    const results = this.state(poll, poll.votes.has("me"));
    if (poll.secrecy === "open" || poll.votes.has("me")) this.tell({ event: "poll_results", data: results });
  }

  close(pollId) {
    const poll = this.polls.get(pollId);
    if (poll.closedAt !== null) return;
    poll.closedAt = "t";
    this.happens("poll_closed", this.state(poll, false));
  }

  mention(author) {
    const wire = this.say(author, `@Me ${this.seq}`, { mentions: ["Me"] });
    const one = { id: this.id("n"), type: "mention", messageId: wire.id };
    this.inbox.set(one.id, one);
    this.tell({ event: "notification", data: this.notification(one) });
  }

  read(id) {
    this.inbox.delete(id);
    this.tell({ event: "notifications", data: this.notifications() });
  }

  hold() {
    const id = this.id("held");
    const message = { id, seq: null, authorSessionId: "me", authorUsername: "Me", content: { type: "text", text: id } };
    this.heldMessages.set(id, { message, reason: "links" });
    this.tell({ event: "held_message", data: this.heldMessages.get(id) });
  }

  decide(id, isReleased) {
    this.heldMessages.delete(id);
    if (isReleased) this.say("me", id, { id });
    else this.tell({ event: "message_dropped", data: { messageId: id } });
  }

  govern(change) {
    this.rules = { ...this.rules, ...change };
    this.happens("moderation_changed", this.rules);
  }

  mute(until) {
    this.muted = until === null ? null : { until, reason: null };
    this.tell({ event: until === null ? "unmuted" : "muted", data: this.muted ?? {} });
  }

  report(open) {
    this.reports = open;
    this.tell({ event: open > 0 ? "message_reported" : "report_resolved", data: { open } });
  }

  delete(id) {
    this.forget((one) => one === id);
    super.delete(id);
  }

  remove(data) {
    this.forget((id, seq) => data.messageIds?.includes(id) || seq <= (data.throughSeq ?? 0));
    super.remove(data);
  }

  /** What plugins keep about a message goes with it. */
  forget(isGone) {
    const gone = new Set([...this.messages.values()].filter((wire) => isGone(wire.id, wire.seq)).map((wire) => wire.id));
    for (const id of gone) this.pinned.delete(id);
    for (const poll of [...this.polls.values()]) if (gone.has(poll.messageId)) this.polls.delete(poll.pollId);
    for (const one of [...this.inbox.values()]) if (gone.has(one.messageId)) this.inbox.delete(one.id);
  }

  // --- how it is told

  state(poll, hasVoted) {
    const { pollId, messageId, secrecy, closedAt, votes } = poll;
    const count = (option) => [...votes.values()].filter((one) => one === option).length;
    const isShown = closedAt !== null || secrecy === "open" || (secrecy === "hidden" && hasVoted);
    const voters = secrecy === "secret" && closedAt === null ? null : votes.size;
    const totals = isShown ? { 1: count("1"), 2: count("2") } : null;
    return { pollId, messageId, secrecy, closesAt: null, closedAt, voters, totals, discarded: false };
  }

  /** What `poll_update` tells: nothing that is not for everybody. */
  publicState(poll) {
    const told = this.state(poll, false);
    return Object.fromEntries(["pollId", "messageId", "voters", "totals"].filter((name) => told[name] !== null).map((name) => [name, told[name]]));
  }

  notification({ id, type, messageId }) {
    const { authorUsername, content, seq } = this.messages.get(messageId);
    return { id, type, read: false, message: { id: messageId, seq, authorUsername, excerpt: content.text } };
  }

  notifications() {
    const all = [...this.inbox.values()].reverse().map((one) => this.notification(one));
    return { notifications: all, unread: all.length, hasMore: false };
  }

  extended(wire) {
    const poll = this.polls.get(wire.content.pollId);
    return poll === undefined ? wire : { ...wire, ext: { polls: this.state(poll, false) } };
  }

  page(before, limit) {
    const page = super.page(before, limit);
    return { ...page, messages: page.messages.map((wire) => this.extended(wire)) };
  }

  replay(since) {
    return super.replay(since).map((item) => (item.event === "message" ? { ...item, data: this.extended(item.data) } : item));
  }

  /** What plugins tell to who comes; it is read after the position, so it may be ahead of what follows. */
  states() {
    const open = [...this.polls.values()].filter(({ closedAt }) => closedAt === null);
    const own = (poll) => (poll.secrecy !== "secret" && poll.votes.has("me") ? [poll.votes.get("me")] : []);
    const polls = open.map((poll) => ({ ...this.state(poll, poll.votes.has("me")), optionIds: own(poll), voted: poll.votes.has("me") }));
    return [
      ["moderation", this.rules], ["held_messages", { messages: [...this.heldMessages.values()] }], ["report_count", { open: this.reports }],
      ...(this.muted === null ? [] : [["muted", this.muted]]), ["notifications", this.notifications()],
      ["pinned_messages", { messages: [...this.pinned.keys()].map((id) => this.messages.get(id)), hasMore: false }], ["open_polls", { polls }],
    ];
  }

  /** `meanwhile` happens while somebody is told the room: the states know it, and it follows as events. */
  welcome(socket, data) {
    super.welcome(socket, data);
    this.sockets.delete(socket);
    const position = this.seq;
    this.meanwhile?.();
    for (const [event, told] of this.states()) socket.tell({ event, data: told });
    for (const item of this.log.slice(position)) socket.tell(item);
    this.sockets.add(socket);
  }
}

/** A chat: one participant's presence in one room, kept up across lost connections until it is left. */

import { effect, signal } from "../vendor/signals-core.mjs";
import { Connection } from "./connection.mjs";
import { Courier } from "./courier.mjs";
import { Outbox } from "./outbox.mjs";

const TYPING = 3_000; // how often it is told that somebody goes on typing; the others let it expire after 6 seconds
const PAGE = 100;

export class Chat {
  status = signal({ kind: "connecting", attempt: 0 });
  #environment;
  #connection;
  #courier;
  #typingTold = 0;
  #untie = () => {};

  /** `membership`: `{url, token}` of the WebSocket. `store` is fed by nothing but what the server sends. */
  constructor(environment, membership, store, drawer) {
    this.store = store;
    this.#environment = environment;
    this.outbox = new Outbox(drawer);
    this.#connection = new Connection(environment, membership.url, membership.token, {
      told: (event, data, seq) => this.#told(event, data, seq),
      answered: (frame) => this.#courier.settle(frame),
      status: (status) => this.#changed(status),
    });
    this.#courier = new Courier(environment, this.#connection, this.outbox);
  }

  /** Connect, and stay so. */
  start() {
    this.#untie = effect(() => this.#tidy());
    this.#connection.dial();
  }

  /** Something happened after which the line may be dead, or be had again. */
  wake() {
    this.#connection.wake();
  }

  /** The device says that it has no network. */
  lost() {
    this.#connection.lost();
  }

  /** The server's clock in ms since 1970, now or at a time of this machine's clock, which may be wrong. */
  serverTime(at = this.#environment.now()) {
    return at + this.#connection.clockSkew;
  }

  /** Queue a message; false if too many wait already. */
  post(text, replyToId) {
    if (this.outbox.isFull) return false;
    this.outbox.add({ clientMsgId: this.#environment.id(), text, replyToId, at: this.#environment.now() });
    this.#stopTyping();
    this.#courier.deliver();
    return true;
  }

  /** Try a message that has failed once more. */
  retry(clientMsgId) {
    this.outbox.retry(clientMsgId);
    this.#courier.deliver();
  }

  /** Send any event, for instance a plugin's: the data of its answer. Throws `Refused` or `NotReachable`. */
  request(event, data = {}) {
    return this.#courier.request(event, data);
  }

  /** Get older messages into the store: than the oldest when there is a connection, which may bring a new list. */
  older(limit = PAGE) {
    return this.#courier.request("get_history", () => {
      const [oldest] = this.store.state.value.messages.list;
      return { limit, ...(oldest ? { before: oldest.seq } : {}) };
    });
  }

  /** Tell the others; may be called at each key press. */
  typing() {
    const now = this.#environment.now();
    if (now - this.#typingTold >= TYPING && this.#connection.write("typing", { typing: true })) this.#typingTold = now;
  }

  #stopTyping() {
    if (this.#typingTold > 0) this.#connection.write("typing", { typing: false });
    this.#typingTold = 0;
  }

  /** Hang up. The session goes on. */
  close(reason = "closed") {
    this.#connection.end(1000, reason);
  }

  #told(event, data, seq) {
    this.store.apply(event, data, { seq, at: this.#environment.now() });
    if (event === "message_dropped") this.outbox.compare((item) => item.messageId === data.messageId);
    if (event === "held_messages") this.#decided(data);
    if (event === "moderation" || event === "moderation_changed") this.#courier.slow(data.slowModeSeconds * 1_000);
  }

  /** What does not wait any more was decided while we were away: if it was released it comes as any message does. */
  #decided({ messages, hasMore }) {
    if (hasMore) return; // those that are not listed may wait, too
    const waiting = new Set(messages.map(({ message }) => message.id));
    this.outbox.compare((item) => item.state === "held" && !waiting.has(item.messageId));
  }

  /** What has come to the room, or has gone from it since, need not be shown from the outbox. Run after each change of both. */
  #tidy() {
    const { list } = this.store.state.value.messages;
    const isKnown = (item) => item.state === "sent" && item.seq <= this.#connection.seq;
    this.outbox.compare((item) => isKnown(item) || list.some((one) => one.id === item.messageId));
  }

  #changed(status) {
    this.status.value = status;
    if (status.kind === "online") this.#courier.online();
    else if (status.kind === "over") this.#over(status.reason);
    else this.#courier.offline();
  }

  #over(reason) {
    this.#untie();
    this.#courier.over(reason);
  }
}

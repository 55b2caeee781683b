/**
 * Messages on their way out, in order. They are kept in a drawer, so that a reload of the page loses none of them.
 *
 * An item is `{clientMsgId, text, replyToId?, at, state, ...}`; `state` goes from "waiting" to "sent" (with `messageId`
 * and `seq`), "held" (with `messageId` and `reason`) or "failed" (with `code` and `problem`).
 */

import { signal } from "../vendor/signals-core.mjs";

const MOST = 200;
const KEY = "outbox";
const NOT_SENT = "not_sent"; // the code of what the end of a stay has overtaken

/** Whether an item was refused because the message that it answers is gone. */
export const isOrphaned = ({ code, replyToId }) => code === "message_not_found" && replyToId !== undefined;

export class Outbox {
  #drawer;

  /** `drawer` has `get(key)` and `set(key, value)` for JSON. */
  constructor(drawer) {
    this.#drawer = drawer;
    this.items = signal(drawer.get(KEY) ?? []);
  }

  get isFull() {
    return this.items.value.length >= MOST;
  }

  /** Queue a message. */
  add(item) {
    this.#change([...this.items.value, { ...item, state: "waiting" }]);
  }

  /** The message whose turn it is, or undefined. */
  next() {
    return this.items.value.find((item) => item.state === "waiting");
  }

  /** It is sent now; `since` is the seq up to which we knew the room when it was sent for the first time. */
  sending(clientMsgId, since) {
    const item = this.items.value.find((one) => one.clientMsgId === clientMsgId);
    if (item?.since === undefined) this.settle(clientMsgId, { since, until: undefined });
  }

  /** The server wants us to wait. */
  waits(clientMsgId, until) {
    this.settle(clientMsgId, { until });
  }

  /** Its new state. */
  settle(clientMsgId, change) {
    this.#change(this.items.value.map((item) => (item.clientMsgId === clientMsgId ? { ...item, ...change } : item)));
  }

  /** Try what has failed once more, with the same id, at the end of the queue; without what it answers, if that is gone. */
  retry(clientMsgId) {
    const item = this.items.value.find((one) => one.clientMsgId === clientMsgId);
    const { text, at } = item;
    const replyToId = isOrphaned(item) ? undefined : item.replyToId;
    this.remove(clientMsgId);
    this.add({ clientMsgId, text, replyToId, at });
  }

  /** The stay is over: what waits still may be tried again in the next one, and what was sent or held is no matter of ours. */
  end() {
    const left = this.items.value.filter(({ state }) => state === "waiting" || state === "failed");
    this.#change(left.map((item) => (item.state === "failed" ? item : { ...item, state: "failed", code: NOT_SENT, until: undefined })));
  }

  /** Nothing of it is wanted any more. */
  clear() {
    this.#change([]);
  }

  /** It is not needed here any more. */
  remove(clientMsgId) {
    this.#change(this.items.value.filter((item) => item.clientMsgId !== clientMsgId));
  }

  /** Drop what the room shows itself now, and what is decided without being shown. */
  compare(isShown) {
    const left = this.items.value.filter((item) => item.messageId === undefined || !isShown(item));
    if (left.length < this.items.value.length) this.#change(left);
  }

  #change(items) {
    this.items.value = items;
    this.#drawer.set(KEY, items);
  }
}

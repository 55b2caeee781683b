/** Carries requests to the server and their answers back, and the outbox, one message after another. Times are ms. */

import { NotReachable, Refused } from "./frames.mjs";

const MOST_WAITING = 100;
const PATIENCE = 30_000; // for a connection and the answer together
const ATTEMPTS = 8; // of a send that the server cannot take for the moment; lost connections and slow mode do not count
const LONGEST = 30_000; // between two of these attempts
const SLOWEST = 3_600_000; // that slow mode makes anybody wait
const SPREAD = 1_000; // in which those come again whom slow mode lets go at once
/** Refusals after which the same is tried again by itself. */
const PASSING = new Set(["rate_limited", "overloaded", "storage_full", "storage_unavailable", "going_away", "slow_mode"]);
const ACKS = new Set(["message_ack", "message_held"]);

export class Courier {
  #environment;
  #connection;
  #outbox;
  #calls = new Map(); // id of a frame -> {event, tell, resolve, reject, cancel, isWritten}; `tell()` gives the data
  #over = null; // the error of everything that comes after the end
  #numbers = 0;
  #isDelivering = false;
  #slowed = null; // {until, wait(ms)}: the message that slow mode makes wait

  constructor(environment, connection, outbox) {
    this.#environment = environment;
    this.#connection = connection;
    this.#outbox = outbox;
  }

  /**
   * Send an event once there is a connection, and wait for its answer: its data. Throws `Refused` or `NotReachable`. `data`
   * may be a function that gives it then, for what depends on what is known of the room.
   */
  async request(event, data) {
    this.#numbers += 1;
    const tell = typeof data === "function" ? data : () => data;
    return (await this.#exchange(event, tell, `r${this.#numbers}`)).data;
  }

  /** Hand a frame to who waits for it; false if it is no answer. */
  settle({ event, data, id }) {
    const key = id ?? (event === "error" ? data.clientMsgId : undefined);
    const call = this.#finish(key);
    if (event === "error") call?.reject(new Refused(data));
    else call?.resolve({ event, data });
    return key !== undefined;
  }

  /** There is a connection that has brought everything. */
  online() {
    for (const [id, call] of this.#calls) this.#write(id, call);
    this.deliver();
  }

  /** The connection is lost: what was asked may or may not have been done. */
  offline() {
    for (const [id, call] of [...this.#calls]) {
      if (call.isWritten) this.#finish(id).reject(new NotReachable("connection lost"));
    }
  }

  /** Nothing will be sent or answered any more. */
  over(reason) {
    this.#over = new NotReachable(reason);
    for (const id of [...this.#calls.keys()]) this.#finish(id).reject(this.#over);
    this.#slowed?.wait(0);
  }

  /** From now on slow mode makes nobody wait longer than that. */
  slow(longest) {
    if (this.#slowed?.until > this.#environment.now() + longest + SPREAD) this.#slowed.wait(longest + this.#chance(SPREAD));
  }

  /** Send the outbox until it is empty. One at a time, so that they keep their order whatever happens to one of them. */
  async deliver() {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      let item;
      while (this.#over === null && (item = this.#outbox.next()) !== undefined) await this.#send(item);
    } finally {
      this.#isDelivering = false;
    }
  }

  async #send(item) {
    try {
      const { event, data } = await this.#insist(item);
      if (!ACKS.has(event)) throw new Refused({ code: "internal" });
      this.#outbox.settle(item.clientMsgId, event === "message_held"
        ? { state: "held", messageId: data.messageId, reason: data.reason, releaseAt: data.releaseAt }
        : { state: "sent", messageId: data.serverMessageId, seq: data.seq, createdAt: data.createdAt });
    } catch (error) {
      if (this.#over !== null) return; // the outbox may be that of the next stay by now
      this.#outbox.settle(item.clientMsgId, { state: "failed", code: error.code ?? "internal", problem: error.message });
    }
  }

  /** Send until there is an answer: the same id each time, so that the server takes it once. */
  async #insist({ clientMsgId, text, replyToId }) {
    const data = replyToId === undefined ? { text, clientMsgId } : { text, clientMsgId, replyToId };
    for (let attempt = 1; ;) {
      if (this.#over !== null) throw this.#over;
      try {
        this.#outbox.sending(clientMsgId, this.#connection.seq);
        return await this.#exchange("send_message", () => data, clientMsgId);
      } catch (error) {
        if (error instanceof NotReachable) continue; // not a busy loop: the next attempt waits for the next connection
        if (error.code !== "slow_mode") attempt += 1;
        if (!PASSING.has(error.code) || attempt > ATTEMPTS) throw error;
        const { retryAfterMs = 1_000 } = error;
        await (error.code === "slow_mode" ? this.#slowDown(clientMsgId, retryAfterMs) : this.#pause(clientMsgId, retryAfterMs));
      }
    }
  }

  async #pause(clientMsgId, asked) {
    const least = Math.min(asked, LONGEST);
    const wait = least + this.#chance(0.2 * least);
    this.#outbox.waits(clientMsgId, this.#environment.now() + wait);
    await new Promise((go) => this.#environment.after(wait, go));
  }

  /** Wait for one's turn as long as the server says, unless it comes earlier. */
  async #slowDown(clientMsgId, asked) {
    await new Promise((go) => {
      let cancel = () => {};
      const wait = (ms) => {
        cancel();
        cancel = this.#environment.after(ms, go);
        this.#slowed = { until: this.#environment.now() + ms, wait };
        this.#outbox.waits(clientMsgId, this.#slowed.until);
      };
      wait(Math.min(asked, SLOWEST) + this.#chance(SPREAD));
    });
    this.#slowed = null;
  }

  #chance(most) {
    return most * this.#environment.random();
  }

  #exchange(event, tell, id) {
    if (this.#over !== null) return Promise.reject(this.#over);
    if (this.#calls.size >= MOST_WAITING) return Promise.reject(new Refused({ code: "overloaded" }));
    return new Promise((resolve, reject) => {
      const cancel = this.#environment.after(PATIENCE, () => this.#finish(id).reject(new NotReachable("no answer")));
      const call = { event, tell, resolve, reject, cancel, isWritten: false };
      this.#calls.set(id, call);
      this.#write(id, call);
    });
  }

  #write(id, call) {
    if (!call.isWritten) call.isWritten = this.#connection.write(call.event, call.tell(), id);
  }

  #finish(id) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    call?.cancel();
    return call;
  }
}

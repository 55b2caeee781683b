/** One person's stay in one room, as the page has it: the chat, and what is only of this page. */

import { effect, signal } from "./vendor/signals-core.mjs";
import { Attention } from "./attention.mjs";
import { socketUrl } from "./browser/environment.mjs";
import { Chat } from "./protocol/chat.mjs";
import { hasOlder } from "./state/messages.mjs";
import { isGone, messageOf } from "./state/selectors.mjs";
import { createStore } from "./state/store.mjs";

const PAGE = 200; // the most that a server tells at once
const PAUSE = 1_000; // ms before it is asked again, where it does not say when

/** How one leaves a room without an end of the stay: the page goes elsewhere, or understands nothing until it is loaded anew. */
const GOES_ON = new Set(["closed", "not_ours"]);
/** How a stay ends that nobody has ended; then what was written is still wanted. */
const LOST = new Set(["name_lost", "session_expired", "invalid_token"]);

const GOING = new Set(["message_deleted", "messages_removed"]);

export class Session {
  #environment;
  #acts = new Map(); // on their way, by event and data
  reply = signal(null); // id of the message that is answered
  editing; // signal of {id, text}: the message that is changed, and what is to stand there; or of null
  panel = signal(null); // id of what is open beside the conversation
  dialog = signal(null); // what is asked or shown above everything: a function that returns its content
  problem = signal(null); // why the last act was refused
  unchanged = signal(null); // {id, text} of a change that was refused while one was writing something else
  wanted = signal(null); // {id} of the message that is to be shown; anew each time
  searches = signal(0); // how many messages are looked for further back

  /** `membership`: what joining has answered, and the invite with which one came. */
  constructor({ roomId, membership, registry, environment, drawer }) {
    this.#environment = environment;
    this.roomId = roomId;
    this.membership = membership;
    this.drawer = drawer;
    this.editing = signal(drawer.get("editing") ?? null);
    this.editing.subscribe((wanted) => wanted !== null && drawer.set("editing", wanted)); // until the server has it
    this.registry = registry;
    this.store = createStore(registry.reducers, (event, data, state) => {
      this.#answer(event, state);
      this.attention?.happened(event, data, state);
      registry.happened(event, data, state);
    });
    const where = { url: socketUrl(), token: membership.sessionToken };
    this.chat = new Chat(environment, where, this.store, drawer);
    this.attention = new Attention(this.store, drawer);
  }

  /** Nobody can answer what is gone. */
  #answer(event, state) {
    if (this.reply.value === null || !GOING.has(event)) return;
    const wire = messageOf(state, this.reply.value);
    if (wire === undefined || isGone(wire)) this.reply.value = null;
  }

  get state() {
    return this.store.state.value;
  }

  get token() {
    return this.membership.sessionToken;
  }

  /** Connect, and look after the connection until the stay is over; then nothing holds what was said in the room. */
  start() {
    const over = new AbortController();
    const until = { signal: over.signal };
    addEventListener("online", () => this.chat.wake(), until);
    addEventListener("offline", () => this.chat.lost(), until);
    addEventListener("focus", () => this.chat.wake(), until);
    document.addEventListener("visibilitychange", () => document.hidden || this.chat.wake(), until);
    this.chat.status.subscribe(({ kind, reason }) => {
      if (kind !== "over") return;
      over.abort();
      if (!GOES_ON.has(reason)) this.#end(reason);
    });
    this.chat.start();
  }

  /** The stay is over: nobody is in it again, and nothing that waited goes by itself in the next, perhaps under another name. */
  #end(reason) {
    this.drawer.drop("membership", ({ sessionToken }) => sessionToken === this.token);
    this.drawer.set("editing", undefined); // of a message that is nobody's then
    if (LOST.has(reason)) this.chat.outbox.end();
    else this.chat.outbox.clear();
  }

  /** A change of a message is not wanted any more, or is done. */
  forget({ id, text }) {
    this.drawer.drop("editing", (kept) => kept.id === id && kept.text === text);
  }

  /** Change no message, and forget what was to stand there. */
  stopEditing() {
    if (this.editing.value === null) return;
    this.editing.value = null;
    this.drawer.set("editing", undefined);
  }

  /**
   * Do something that the server may refuse, and say so if it does. Returns whether it was done. The same that is still on its
   * way is not done again: who presses twice means it once.
   */
  act(event, data) {
    const key = JSON.stringify([event, data]);
    if (!this.#acts.has(key)) this.#acts.set(key, this.#act(event, data).finally(() => this.#acts.delete(key)));
    return this.#acts.get(key);
  }

  async #act(event, data) {
    this.problem.value = null;
    try {
      await this.chat.request(event, data);
      return true;
    } catch (error) {
      this.problem.value = error;
      return false;
    }
  }

  /** Show a message as soon as the room is there. */
  showFirst(id) {
    const stop = effect(() => {
      if (this.chat.status.value.kind !== "online") return;
      queueMicrotask(() => stop());
      setTimeout(() => this.show(id));
    });
  }

  /**
   * Show a message in its context; what lies further back is read first, up to its `seq` if that is known. Says so if it is not
   * to be had.
   */
  async show(id, seq = 0) {
    const isThere = () => messageOf(this.state, id) !== undefined;
    const isPassed = () => this.#reaches(seq);
    if (!(await this.#reach(() => isThere() || isPassed()))) return;
    const isGone = isPassed() || !this.state.messages.hasMore;
    if (isThere()) this.wanted.value = { id };
    else this.problem.value = { code: isGone ? "message_not_found" : "too_far_back" };
  }

  /** Show the first message that is new. */
  async showUnread() {
    const line = this.attention.line.value;
    if (!(await this.#reach(() => this.#reaches(line)))) return;
    const [first] = this.attention.news.value;
    if (first !== undefined) await this.show(first.id);
  }

  /** Whether all that was said from a seq on is known. */
  #reaches(seq) {
    return (this.state.messages.list[0]?.seq ?? Infinity) <= seq;
  }

  /** Read older messages until there is what is looked for, or there are no more. Says why if the server tells none: false. */
  async #reach(isThere) {
    this.searches.value += 1;
    try {
      while (!isThere() && hasOlder(this.state.messages)) await this.older(PAGE);
      return true;
    } catch (error) {
      this.problem.value = error;
      return false;
    } finally {
      this.searches.value -= 1;
    }
  }

  /** A page of older messages; who has asked for too many at once waits until the server tells more. */
  async older(limit) {
    for (;;) {
      try {
        return await this.chat.older(limit);
      } catch (error) {
        if (error.code !== "rate_limited") throw error;
        await new Promise((go) => this.#environment.after(error.retryAfterMs ?? PAUSE, go));
      }
    }
  }
}

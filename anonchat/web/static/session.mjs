/** One person's stay in one room, as the page has it: the chat, and what is only of this page. */

import { effect, signal } from "./vendor/signals-core.mjs";
import { Attention } from "./attention.mjs";
import { socketUrl } from "./browser/environment.mjs";
import { Chat } from "./protocol/chat.mjs";
import { messageOf } from "./state/selectors.mjs";
import { createStore } from "./state/store.mjs";

const MOST_PAGES = 100; // that are read to find a message

export class Session {
  reply = signal(null); // id of the message that is answered
  editing = signal(null); // {id, text}: the message that is changed, and what is to stand there
  panel = signal(null); // id of what is open beside the conversation
  dialog = signal(null); // what is asked or shown above everything: a function that returns its content
  problem = signal(null); // why the last act was refused
  wanted = signal(null); // {id} of the message that is to be shown; anew each time

  /** `membership`: what joining has answered, and the invite with which one came. */
  constructor({ roomId, membership, registry, environment, drawer }) {
    this.roomId = roomId;
    this.membership = membership;
    this.drawer = drawer;
    this.registry = registry;
    this.store = createStore(registry.reducers, (event, data, state) => {
      this.attention?.happened(event, data, state);
      registry.happened(event, data, state);
    });
    const where = { url: socketUrl(), token: membership.sessionToken };
    this.chat = new Chat(environment, where, this.store, drawer);
    this.attention = new Attention(this.store, drawer);
  }

  get state() {
    return this.store.state.value;
  }

  get token() {
    return this.membership.sessionToken;
  }

  /** Connect, and look after the connection as long as the page is there. */
  start() {
    addEventListener("online", () => this.chat.wake());
    addEventListener("offline", () => this.chat.lost());
    addEventListener("focus", () => this.chat.wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.chat.wake());
    this.chat.start();
  }

  /** Do something that the server may refuse, and say so if it does. Returns whether it was done. */
  async act(event, data) {
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

  /** Show a message in its context; what lies further back is read first. */
  async show(id) {
    await this.#reach(() => messageOf(this.state, id) !== undefined);
    this.wanted.value = { id };
  }

  /** Show the first message that is new. */
  async showUnread() {
    const line = this.attention.line.value;
    await this.#reach(() => (this.state.messages.list[0]?.seq ?? 0) <= line);
    const [first] = this.attention.news.value;
    if (first !== undefined) await this.show(first.id);
  }

  /** Read older messages until there is what is looked for, or there are no more. */
  async #reach(isThere) {
    for (let pages = 0; !isThere() && this.state.messages.hasMore && pages < MOST_PAGES; pages += 1) {
      await this.chat.older();
    }
  }
}

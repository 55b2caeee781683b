/**
 * The connections of a chat, one after another: dialled, identified, watched, and made anew. Times are ms.
 *
 * `environment` is what a browser or a test gives: `socket(url)` a WebSocket, `after(ms, act)` a timer that returns how
 * to cancel it, `now()`, and `random()`.
 */

import { Backoff, isFinal, SHORTEST } from "./backoff.mjs";
import { decode, encode } from "./frames.mjs";
import { Reception } from "./reception.mjs";

const OPEN = 1; // WebSocket.OPEN, which Node does not have; from the server's close frame on it is another
const DIAL = 15_000; // for the handshake
const WELCOME = 20_000; // from the handshake until everything that identifying brings has come
const ANSWER = 10_000; // after a heartbeat: when nothing has come by then, the connection is dead
const HEARTBEAT = { least: 50, preset: 25_000, most: 120_000 };
const PROTOCOL_ERROR = 1002; // RFC 6455: a peer that is not understood

/** Answers that are news about the room, so that the store is told of them, too. */
const TOLD_TOO = new Set([
  "history_chunk", "presence_state", "poll_results", "vote_recorded", "vote_removed", "vote_pending", "pinned_messages",
  "moderation", "held_messages", "message_released", "message_dropped", "notifications", "notification_preferences",
]);

export class Connection {
  clockSkew = 0; // add to now() for the server's time
  #environment;
  #url;
  #token;
  #listener;
  #reception = new Reception();
  #backoff;
  #socket = null;
  #heartbeat = HEARTBEAT.preset;
  #timers = {}; // by what they are for: how to cancel them
  #asked;
  #restarts = false; // the server has said that it goes, and when to come back
  #began = 0;
  #over = false;

  /** `listener`: `told(event, data, seq)`, `answered(frame)` -> whether somebody waited, `status(status)`. */
  constructor(environment, url, token, listener) {
    this.#environment = environment;
    this.#url = url;
    this.#token = token;
    this.#listener = listener;
    this.#backoff = new Backoff(environment.random);
  }

  /** Whether what is written now reaches the room. */
  get isOnline() {
    return this.#socket?.readyState === OPEN && this.#reception.welcomed;
  }

  /** The seq up to which the room is known. */
  get seq() {
    return this.#reception.position?.seq ?? 0;
  }

  /** Dial now, if there is no connection. */
  dial() {
    if (this.#over || this.#socket !== null) return;
    this.#cancel("wait");
    this.#asked = undefined;
    this.#reception.begin();
    this.#listener.status({ kind: "connecting", attempt: this.#backoff.attempt });
    this.#began = this.#environment.now();
    const socket = this.#environment.socket(this.#url);
    this.#socket = socket;
    this.#alarm(DIAL);
    const current = (act) => (event) => this.#socket === socket && act(event);
    socket.onopen = current(() => {
      this.#alarm(WELCOME);
      socket.send(encode("identify", this.#reception.identify(this.#token)));
    });
    socket.onmessage = current(({ data }) => this.#receive(data));
    socket.onclose = current(({ code, reason }) => this.#ended({ code, reason }));
  }

  /** Send a frame; false, and nothing done, while there is no connection that has brought everything. */
  write(event, data, id) {
    if (!this.isOnline) return false;
    this.#socket.send(encode(event, data, id));
    return true;
  }

  /** Something happened after which the line may be dead, or be had again: waking up, focus, a network. */
  wake() {
    if (this.isOnline) this.#beat();
    else if (this.#environment.now() - this.#began >= SHORTEST) this.dial();
  }

  /** The device says that it has no network. */
  lost() {
    if (this.#socket !== null) this.#cut({ code: null, reason: "no network" });
  }

  /** The chat is over. Only the first word counts. */
  end(code, reason) {
    if (this.#over) return;
    this.#over = true;
    for (const what of Object.keys(this.#timers)) this.#cancel(what);
    this.#hangUp();
    this.#listener.status({ kind: "over", code, reason });
  }

  // --- the end of one connection

  #cut(ending) {
    this.#hangUp();
    this.#ended(ending);
  }

  #hangUp() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  #ended(ending) {
    this.#socket = null;
    this.#cancel("alarm");
    this.#cancel("beat");
    if (isFinal(ending)) {
      this.end(ending.code, ending.reason);
      return;
    }
    this.#backoff.lived(this.#environment.now() - this.#began);
    const wait = this.#backoff.wait({ ...ending, asked: this.#asked });
    if (wait > 0) {
      const until = this.#environment.now() + wait;
      this.#listener.status({ kind: "offline", until, restarts: this.#restarts, reason: ending.reason || "connection lost" });
    }
    this.#set("wait", wait, () => this.dial());
  }

  // --- what arrives

  #receive(text) {
    if (this.#reception.welcomed) this.#cancel("alarm");
    try {
      this.#handle(decode(text));
    } catch (error) {
      console.error(error);
      // Who has once been understood may be again, after a restart; a stranger stays one.
      const hopeless = this.#reception.position === null;
      this.#reception.position = null;
      this.#cut({ code: PROTOCOL_ERROR, reason: "not_ours", hopeless });
      return;
    }
    if (this.#reception.resume) {
      this.#cut({ code: null, reason: "something was missed", atOnce: true });
    } else if (this.#reception.wantsPresence && this.isOnline) {
      this.#reception.wantsPresence = false;
      this.write("get_presence", {});
    }
  }

  #handle(frame) {
    const { event, data } = frame;
    if (event === "hello") {
      this.#heartbeat = Math.min(Math.max(data.heartbeatSeconds * 1_000, HEARTBEAT.least), HEARTBEAT.most);
      this.#setClock(data.serverTime);
    } else if (event === "heartbeat_ack") {
      this.#setClock(data.serverTime);
      this.#reception.compare(data.seq, data.presenceVersion);
      return;
    } else if (event === "going_away") {
      this.#asked = data.reconnectAfterMs;
      this.#restarts = true;
    } else if (event === "error" && !this.#reception.welcomed && data.retryAfterMs !== undefined) {
      this.#asked = data.retryAfterMs;
    }
    const isAnswer = this.#listener.answered(frame);
    if (isAnswer && !TOLD_TOO.has(event)) return;
    for (const item of this.#reception.accept(frame)) this.#tell(item);
  }

  #tell({ event, data, seq }) {
    this.#listener.told(event, data, seq);
    if (event !== "caught_up") return;
    this.#restarts = false;
    this.#cancel("alarm");
    this.#set("beat", this.#heartbeat, () => this.#beat());
    this.#listener.status({ kind: "online", ...data });
  }

  #beat() {
    this.#set("beat", this.#heartbeat, () => this.#beat());
    this.write("heartbeat", {});
    if (this.#timers.alarm === undefined) this.#alarm(ANSWER);
  }

  #setClock(told) {
    this.clockSkew = Date.parse(told) - this.#environment.now();
  }

  // --- timers

  #alarm(ms) {
    this.#set("alarm", ms, () => this.#cut({ code: null, reason: "the server is silent" }));
  }

  #set(what, ms, act) {
    this.#cancel(what);
    this.#timers[what] = this.#environment.after(ms, () => {
      delete this.#timers[what];
      act();
    });
  }

  #cancel(what) {
    this.#timers[what]?.();
    delete this.#timers[what];
  }
}

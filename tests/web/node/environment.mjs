/** What a browser gives to a chat, without a browser: a clock that is set by hand, chance with a seed, sockets to a room. */

/** Numbers from 0 to 1 that are the same each time (mulberry32, T. Ettinger, public domain). */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** `open(socket)` is called when a socket is dialled. */
export class Environment {
  time = 1_700_000_000_000;
  #timers = new Set();
  #ids = 0;

  constructor(random, open) {
    this.random = random;
    this.open = open;
  }

  now() {
    return this.time;
  }

  id() {
    this.#ids += 1;
    return `own-${this.#ids}`;
  }

  after(ms, act) {
    const timer = { due: this.time + ms, act };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  socket() {
    const socket = {
      sent: [],
      isClosed: false,
      readyState: 1,
      send: (text) => socket.heard?.(JSON.parse(text)),
      close: () => Object.assign(socket, { isClosed: true, readyState: 2 }),
      /** As the server does it. */
      tell: (frame) => socket.onmessage({ data: JSON.stringify(frame) }),
      end: (code, reason = "") => socket.onclose({ code, reason }),
    };
    this.open(socket);
    return socket;
  }

  /** Let time pass, with what is due in it, and let promises settle. */
  async pass(ms) {
    const until = this.time + ms;
    for (;;) {
      await settled();
      const due = [...this.#timers].filter((timer) => timer.due <= until).sort((one, other) => one.due - other.due)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.time = Math.max(this.time, due.due);
      due.act();
    }
    this.time = until;
    await settled();
  }
}

/** All promises that can go on have gone on. */
export const settled = () => new Promise((go) => setImmediate(go));

/** A drawer that keeps things as JSON, as a browser's storage does. */
export function drawer(kept = new Map()) {
  return {
    kept,
    get: (key) => (kept.has(key) ? JSON.parse(kept.get(key)) : undefined),
    set: (key, value) => kept.set(key, JSON.stringify(value)),
    drop: (key, isIt) => kept.has(key) && isIt(JSON.parse(kept.get(key))) && kept.delete(key),
  };
}

/** A storage as browsers have it: what is in it are its own keys. */
export function storage() {
  return Object.create({
    getItem(key) { return this[key] ?? null; },
    setItem(key, value) { this[key] = value; },
    removeItem(key) { delete this[key]; },
  });
}

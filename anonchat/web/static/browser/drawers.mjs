/**
 * What is kept on this device. Everything lives in the tab (sessionStorage) and goes with it; only if the person says
 * "keep on this device" it is also written where it stays (localStorage).
 */

import { signal } from "../vendor/signals-core.mjs";

const PREFIX = "anonchat:";
const KEEP = "keep";
/** What waits or is being written belongs to one tab: two tabs must not send the same. The operator's token opens too much. */
const OF_THE_TAB = new Set(["outbox", "draft", "editing", "read", "token"]);

export class Drawers {
  #tab;
  #device;

  /** The two storages of a browser. One that is forbidden or full is no error: then what is of the tab lives in the page. */
  constructor(tab, device) {
    this.#tab = new Lasting(tab);
    this.#device = device;
    this.keeps = signal(false);
    this.look();
  }

  /** Look whether what is written is kept on the device: somebody may have said so, or the contrary, in another tab. */
  look() {
    this.keeps.value = read(this.#device, PREFIX + KEEP) === true;
    return this.keeps.value;
  }

  /** Keep from now on, or forget everything that was kept beyond this tab. */
  keep(keeps) {
    this.keeps.value = keeps;
    for (const key of keysOf(this.#device)) write(this.#device, key, undefined);
    if (!keeps) return;
    write(this.#device, PREFIX + KEEP, true);
    for (const key of keysOf(this.#tab)) {
      if (!OF_THE_TAB.has(key.split(":").at(-1))) write(this.#device, key, read(this.#tab, key));
    }
  }

  /**
   * The drawer with that name: `get(key)`, `set(key, value)`, where undefined removes, `drop(key, isIt)`, which removes only
   * such a value, and not what another tab has kept since, and `clear()`.
   */
  named(name) {
    const keyOf = (key) => `${PREFIX}${name}:${key}`;
    return {
      get: (key) => read(this.#tab, keyOf(key)) ?? read(this.#device, keyOf(key)),
      set: (key, value) => {
        write(this.#tab, keyOf(key), value);
        if (value === undefined || (!OF_THE_TAB.has(key) && this.look())) write(this.#device, keyOf(key), value);
      },
      drop: (key, isIt) => {
        for (const storage of [this.#tab, this.#device]) {
          const value = read(storage, keyOf(key));
          if (value !== undefined && isIt(value)) write(storage, keyOf(key), undefined);
        }
      },
      clear: () => {
        for (const storage of [this.#tab, this.#device]) {
          for (const key of keysOf(storage)) if (key.startsWith(keyOf(""))) write(storage, key, undefined);
        }
      },
    };
  }
}

/** The storage of a tab, and in memory what it does not take, so that one can come in and write where it is forbidden. */
class Lasting {
  #storage;
  #memory = new Map();

  constructor(storage) {
    this.#storage = storage;
  }

  keys() {
    return [...this.#memory.keys(), ...(attempt(() => Object.keys(this.#storage)) ?? [])];
  }

  getItem(key) {
    return this.#memory.get(key) ?? this.#storage.getItem(key);
  }

  setItem(key, text) {
    try {
      this.#storage.setItem(key, text);
      this.#memory.delete(key);
    } catch {
      this.removeItem(key); // what stood there is older
      this.#memory.set(key, text);
    }
  }

  removeItem(key) {
    this.#memory.delete(key);
    attempt(() => this.#storage.removeItem(key));
  }
}

const keysOf = (storage) => (attempt(() => storage.keys?.() ?? Object.keys(storage)) ?? []).filter((key) => key.startsWith(PREFIX));

function read(storage, key) {
  const kept = attempt(() => storage.getItem(key));
  return kept === null || kept === undefined ? undefined : attempt(() => JSON.parse(kept));
}

function write(storage, key, value) {
  attempt(() => (value === undefined ? storage.removeItem(key) : storage.setItem(key, JSON.stringify(value))));
}

function attempt(act) {
  try {
    return act();
  } catch {
    return undefined;
  }
}

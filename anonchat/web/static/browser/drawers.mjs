/**
 * What is kept on this device. Everything lives in the tab (sessionStorage) and goes with it; only if the person says
 * "keep on this device" it is also written where it stays (localStorage).
 */

import { signal } from "../vendor/signals-core.mjs";

const PREFIX = "anonchat:";
const KEEP = "keep";
/** What waits or is being written belongs to one tab: two tabs must not send the same. */
const OF_THE_TAB = new Set(["outbox", "draft", "read"]);

export class Drawers {
  #tab;
  #device;

  /** The two storages of a browser. One that is forbidden or full keeps nothing, and that is no error. */
  constructor(tab, device) {
    this.#tab = tab;
    this.#device = device;
    this.keeps = signal(read(device, PREFIX + KEEP) === true);
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

  /** The drawer with that name: `get(key)`, `set(key, value)`, where undefined removes, and `clear()`. */
  named(name) {
    const keyOf = (key) => `${PREFIX}${name}:${key}`;
    return {
      get: (key) => read(this.#tab, keyOf(key)) ?? read(this.#device, keyOf(key)),
      set: (key, value) => {
        write(this.#tab, keyOf(key), value);
        if (this.keeps.value && !OF_THE_TAB.has(key)) write(this.#device, keyOf(key), value);
      },
      clear: () => {
        for (const storage of [this.#tab, this.#device]) {
          for (const key of keysOf(storage)) if (key.startsWith(keyOf(""))) write(storage, key, undefined);
        }
      },
    };
  }
}

const keysOf = (storage) => attempt(() => Object.keys(storage).filter((key) => key.startsWith(PREFIX))) ?? [];

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

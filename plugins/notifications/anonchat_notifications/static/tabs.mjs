/**
 * The tabs of one browser agree on who calls: one of them for each message, and none while somebody looks at the room in
 * another. They know of each other by locks; without these (plain HTTP) there are no calls from the system either.
 */

const HELD = 5_000; // ms after which no other tab comes with the same message any more

export class Tabs {
  #locks;
  #name;
  #release = () => {};

  constructor(roomId, locks = navigator.locks) {
    this.#locks = locks;
    this.#name = `anonchat looks ${roomId}`;
  }

  /** Whether somebody looks at the room in this tab, from now on. */
  look(isLooking) {
    this.#release();
    this.#release = () => {};
    if (!isLooking) return;
    const left = new Promise((release) => (this.#release = release));
    this.#locks?.request(this.#name, { mode: "shared" }, () => left);
  }

  /** Call for a message, unless another tab does, or somebody looks. */
  async once(id, call) {
    if (this.#locks === undefined) {
      call();
      return;
    }
    const { held } = await this.#locks.query();
    const isSeen = held.some(({ name }) => name === this.#name);
    if (!isSeen && (await this.#claim(id))) call();
  }

  /** Whether no other tab has claimed the message; it is kept for a while, and nobody waits for that. */
  #claim(id) {
    return new Promise((claimed) => {
      this.#locks.request(`anonchat calls ${id}`, { ifAvailable: true }, (free) => {
        claimed(free !== null);
        return free === null ? undefined : new Promise((over) => setTimeout(over, HELD));
      });
    });
  }
}

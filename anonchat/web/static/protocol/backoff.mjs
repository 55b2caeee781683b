/** When to try again: full jitter, so that those who were cut off together do not come back together. Times are ms. */

export const SHORTEST = 1_000;
export const LONGEST = 30_000;

const STABLE = 60_000; // a connection that lived so long makes the next waiting short again
const LONGEST_ASKED = 300_000; // the most that a server may ask for
const CROWDED_ATTEMPT = 3;
const FINAL = new Set([1000, 4401, 4403, 4410]); // left, session over, removed, room ended
const TOO_SLOW = "not_identified"; // a network over which nobody could say in time who they are; closes with 4401, too
const CROWDED = new Set([1013, 4429]); // a server that asks for fewer visits

/**
 * Whether coming back is of no use after an ending: `{code, reason, asked?, atOnce?, hopeless?}`, where `asked` is
 * what the server wants us to wait, and `hopeless` is for what would only happen again.
 */
export const isFinal = (ending) => ending.hopeless === true || (FINAL.has(ending.code) && ending.reason !== TOO_SLOW);

/** How long to wait before the next attempt. */
export class Backoff {
  attempt = 0;
  #random;

  /** `random` gives numbers from 0 to 1. */
  constructor(random) {
    this.#random = random;
  }

  /** A connection was there for so long. */
  lived(ms) {
    if (ms >= STABLE) this.attempt = 0;
  }

  /** The wait after an ending; counts as an attempt. */
  wait(ending) {
    const attempt = CROWDED.has(ending.code) ? Math.max(this.attempt, CROWDED_ATTEMPT) : this.attempt;
    this.attempt += 1;
    if (ending.asked !== undefined) return Math.min(Math.max(ending.asked, 0), LONGEST_ASKED) + this.#between(0, SHORTEST);
    if (ending.atOnce && attempt === 0) return 0;
    return this.#between(SHORTEST, Math.min(LONGEST, SHORTEST * 2 ** Math.min(attempt + 1, 16)));
  }

  #between(least, most) {
    return least + this.#random() * (most - least);
  }
}

/** One's votes in secret polls. The server has them in memory alone, so one that it has forgotten is cast once more. */

const MOST = 100;

export class Ballots {
  #cast = new Map(); // poll id -> option ids; of this page only, and written nowhere
  #onTheirWay = new Set(); // ids of polls for which a vote waits for its answer
  #room;

  /** `room()` is one's stay in the room, as plugins are given it. */
  constructor(room) {
    this.#room = room;
  }

  /** Vote: what was voted before is changed. Whether it was taken; while one is on its way there is no other. */
  async vote(pollId, optionIds, isSecret) {
    if (this.#onTheirWay.has(pollId)) return false;
    const { chat, problem } = this.#room();
    problem.value = null;
    this.#onTheirWay.add(pollId);
    try {
      await chat.request("vote", isSecret ? { pollId, optionIds } : { pollId, optionIds, change: true });
      if (isSecret) this.#remember(pollId, optionIds);
      return true;
    } catch (error) {
      const isRefused = error.code !== undefined; // else it may have been counted or not
      if (isSecret && !isRefused) this.#remember(pollId, optionIds);
      problem.value = error;
      return false;
    } finally {
      this.#onTheirWay.delete(pollId);
    }
  }

  /** The state of all open polls has come; it does not know yet of what is on its way. */
  compare(polls) {
    for (const { pollId, voted } of polls) {
      if (voted === false && this.#cast.has(pollId) && !this.#onTheirWay.has(pollId)) this.#castAgain(pollId);
    }
    const open = new Set(polls.map(({ pollId }) => pollId));
    for (const pollId of [...this.#cast.keys()]) if (!open.has(pollId)) this.#cast.delete(pollId);
  }

  /** The server may have lost what was voted in these polls. Its answer also tells the card. */
  async lost(pollIds) {
    for (const pollId of pollIds) {
      try {
        const { voted } = await this.#room().chat.request("get_poll_results", { pollId });
        if (voted === false && this.#cast.has(pollId) && !this.#onTheirWay.has(pollId)) await this.#castAgain(pollId);
      } catch {
        // It is closed or gone, or the next connection tells what is missing.
      }
    }
  }

  /** Nobody has asked for this just now, so nobody is told of an error: the card shows that one has not voted. */
  async #castAgain(pollId) {
    try {
      await this.#room().chat.request("vote", { pollId, optionIds: this.#cast.get(pollId) });
    } catch {
      // The next connection tells anew what is missing.
    }
  }

  #remember(pollId, optionIds) {
    if (this.#cast.size < MOST || this.#cast.has(pollId)) this.#cast.set(pollId, optionIds);
  }
}

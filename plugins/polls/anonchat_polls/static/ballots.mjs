/** One's votes in secret polls. The server has them in memory alone, so one that it has forgotten is cast once more. */

const MOST = 100;

export class Ballots {
  #cast = new Map(); // poll id -> option ids; of this page only, and written nowhere
  #act;

  /** `act(event, data)` sends something, and says why it was refused. */
  constructor(act) {
    this.#act = act;
  }

  /** Vote: what was voted before is changed. */
  async vote(pollId, optionIds, isSecret) {
    if (!isSecret) {
      await this.#act("vote", { pollId, optionIds, change: true });
      return;
    }
    if (this.#cast.size < MOST) this.#cast.set(pollId, optionIds);
    await this.#act("vote", { pollId, optionIds });
  }

  /** The state of all open polls has come. */
  compare(polls) {
    for (const { pollId, voted } of polls) {
      if (voted === false && this.#cast.has(pollId)) this.#act("vote", { pollId, optionIds: this.#cast.get(pollId) });
    }
    const open = new Set(polls.map(({ pollId }) => pollId));
    for (const pollId of [...this.#cast.keys()]) if (!open.has(pollId)) this.#cast.delete(pollId);
  }
}

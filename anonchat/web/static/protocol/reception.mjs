/**
 * What of all that arrives is told: everything once, in order, with nothing missing in between.
 *
 * No I/O: frames go in, `{event, data, seq}` come out, and `resume` says when the connection must be made anew to fill
 * a hole. One event is our own: `caught_up {recovered, missed}`, when a connection has brought everything.
 */
export class Reception {
  position = null; // {epoch, seq}: up to where the room is known; they belong together and change together
  welcomed = false; // this connection has brought everything up to now
  resume = false; // something is missing, so the connection must be made anew
  wantsPresence = false; // a join or leave was missed, so get_presence must be asked
  #presenceVersion = 0;

  /** A new connection begins; what an older one promised does not count any more. */
  begin() {
    this.welcomed = this.resume = this.wantsPresence = false;
  }

  /** Data of `identify`: who we are, and from where to go on. */
  identify(token) {
    const { position } = this;
    return position === null ? { token } : { token, since: position.seq, epoch: position.epoch };
  }

  /** What to tell of a frame. */
  accept({ event, data, seq }) {
    if (seq !== undefined) return this.#durable({ event, data, seq });
    if (event === "replay") return this.#replay(data);
    if (event === "history_chunk" && !this.welcomed) return this.#fresh(data);
    if (event === "presence" && !this.#isNewPresence(data)) return [];
    if (event === "presence_state") {
      this.wantsPresence = false;
      this.#presenceVersion = data.version;
    }
    if (event === "resync") {
      this.position = null;
      this.resume = true;
    }
    return [{ event, data }];
  }

  /** The server's own position and version, as a heartbeat brings them: finds a loss after which nothing came. */
  compare(seq, presenceVersion) {
    if (this.welcomed && this.position !== null && seq !== this.position.seq) this.resume = true;
    this.wantsPresence = presenceVersion !== this.#presenceVersion;
  }

  #durable(item) {
    const { position } = this;
    if (position === null) this.resume = true;
    if (this.resume || item.seq <= position.seq) return [];
    if (item.seq > position.seq + 1) {
      this.resume = true;
      return [];
    }
    this.position = { epoch: position.epoch, seq: item.seq };
    return item.event === "gone" ? [] : [item];
  }

  #replay({ events, to, epoch }) {
    const before = this.position?.seq ?? -1;
    const items = events.filter((item) => item.seq > before && item.event !== "gone");
    this.position = { epoch, seq: to };
    this.welcomed = true;
    const missed = items.filter((item) => item.event === "message").length;
    return [...items, { event: "caught_up", data: { recovered: true, missed } }];
  }

  #fresh(data) {
    this.position = { epoch: data.epoch, seq: data.seq };
    this.welcomed = true;
    return [{ event: "history_chunk", data }, { event: "caught_up", data: { recovered: false, missed: 0 } }];
  }

  #isNewPresence({ event, version }) {
    if (version <= this.#presenceVersion) return false;
    if (event !== "count" && version > this.#presenceVersion + 1) {
      this.wantsPresence = true;
      return event === "change"; // which holds by itself: in a crowd the state that is asked for may not name who has changed
    }
    this.#presenceVersion = version;
    return true;
  }
}

/** A room as the server keeps it, reduced to what a client can see: its messages now, what happened, and who is there. */

const EPOCH = "e1";

export class Room {
  messages = new Map();
  log = [];
  people = new Map([["me", { sessionId: "me", username: "Me", role: "participant" }]]);
  version = 1;
  acks = new Map();
  sockets = new Set();

  get seq() {
    return this.log.length;
  }

  // --- what happens

  say(author, text, rest = {}) {
    const seq = this.seq + 1;
    const wire = {
      id: `m${seq}`, seq, changedSeq: seq, authorSessionId: author, authorUsername: author, mentions: [],
      createdAt: "2026-11-20T20:15:00.000Z", content: { type: "text", text }, ...rest,
    };
    this.messages.set(wire.id, wire);
    this.happens("message", wire);
    return wire;
  }

  edit(id, text) {
    const changed = {
      ...this.messages.get(id), content: { type: "text", text }, editedAt: "t", changedSeq: this.seq + 1,
    };
    this.messages.set(id, changed);
    this.happens("message_edited", { message: changed });
  }

  delete(id) {
    const { editedAt, replyToId, ...left } = this.messages.get(id);
    const empty = { content: { type: "text", text: "" }, mentions: [], deletedAt: "t", changedSeq: this.seq + 1 };
    this.messages.set(id, { ...left, ...empty });
    this.happens("message_deleted", { messageId: id, by: "author", deletedAt: "t" });
  }

  remove(data) {
    for (const wire of [...this.messages.values()]) {
      if (data.messageIds?.includes(wire.id) || wire.seq <= (data.throughSeq ?? 0)) this.messages.delete(wire.id);
    }
    this.happens("messages_removed", data);
  }

  presence(event, sessionId) {
    const user = { sessionId, username: sessionId, role: "participant" };
    if (event === "leave") this.people.delete(sessionId);
    else this.people.set(sessionId, user);
    this.version += 1;
    this.tell({ event: "presence", data: { event, user, total: this.people.size, version: this.version } });
  }

  happens(event, data) {
    this.log.push({ event, data, seq: this.seq + 1 });
    this.tell({ event, data, seq: this.seq });
  }

  /** Tell all sockets; one that loses frames loses this one. */
  tell(frame) {
    for (const socket of [...this.sockets]) if (!socket.loses?.()) socket.tell(frame);
  }

  // --- one client

  /** Serve a socket as the server does. */
  serve(socket) {
    socket.heard = ({ event, data, id }) => {
      if (event === "identify") this.welcome(socket, data);
      else if (event === "heartbeat") {
        socket.tell({ event: "heartbeat_ack", data: { serverTime: "2026-11-20T20:15:00Z", seq: this.seq, presenceVersion: this.version } });
      } else if (event === "get_presence") socket.tell({ event: "presence_state", data: this.presenceState() });
      else if (event === "get_history") socket.tell({ event: "history_chunk", data: this.page(data.before, data.limit), id });
      else if (event === "send_message") this.take(socket, data, id);
    };
  }

  /** Everything that is dialled is answered in the next turn. */
  accept(socket) {
    this.serve(socket);
    setImmediate(() => socket.onopen());
  }

  welcome(socket, { since, epoch }) {
    socket.tell({ event: "hello", data: { protocol: 1, serverTime: "2026-11-20T20:15:00Z", heartbeatSeconds: 25, limits: { textLength: 4000 }, plugins: [] } });
    const room = { title: "Room", isOpen: true };
    socket.tell({ event: "identified", data: { sessionId: "me", username: "Me", role: "participant", room, epoch: EPOCH, seq: this.seq, ext: {} } });
    socket.tell({ event: "presence_state", data: this.presenceState() });
    if (epoch === EPOCH && this.seq - since <= 300) {
      socket.tell({ event: "replay", data: { events: this.replay(since), from: since, to: this.seq, epoch: EPOCH, recovered: true } });
    } else {
      socket.tell({ event: "history_chunk", data: { ...this.page(undefined, 50), recovered: false } });
    }
    this.sockets.add(socket);
  }

  presenceState() {
    return { users: [...this.people.values()], total: this.people.size, version: this.version };
  }

  /** What a client missed, with the present state of each message; what is purged comes as `gone`. */
  replay(since) {
    return this.log.slice(since).map(({ event, data, seq }) => {
      const id = event === "message" ? data.id : data.message?.id;
      if (id === undefined) return { event, data, seq };
      const now = this.messages.get(id);
      if (now === undefined) return { event: "gone", data: {}, seq };
      return { event, data: event === "message" ? now : { message: now }, seq };
    });
  }

  page(before = Infinity, limit = 50) {
    const found = [...this.messages.values()].filter((wire) => wire.seq < before);
    return { messages: found.slice(-limit), hasMore: found.length > limit, epoch: EPOCH, seq: this.seq };
  }

  /** A message of the client: taken once, whatever is lost of the answer. */
  take(socket, { text, clientMsgId }, id) {
    const ack = this.acks.get(clientMsgId) ?? this.store(clientMsgId, text);
    if (!socket.loses?.()) socket.tell({ event: "message_ack", data: { clientMsgId, ...ack }, id });
  }

  store(clientMsgId, text) {
    const wire = this.say("me", text);
    const ack = { serverMessageId: wire.id, seq: wire.seq, createdAt: wire.createdAt };
    this.acks.set(clientMsgId, ack);
    return ack;
  }

  /** Cut a socket, as a network does. */
  cut(socket, code = 1006, reason = "") {
    this.sockets.delete(socket);
    if (!socket.isClosed) socket.end(code, reason);
  }
}

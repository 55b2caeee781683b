// A message as a chat sends it to a room: the same fields as anonchat's, so that the same is carried.
import { randomUUID } from "node:crypto";

export function makeMessage(room, author, seq, text) {
  return {
    id: randomUUID(),
    roomId: room,
    seq,
    changedSeq: seq,
    authorUsername: author.name,
    anonymousId: author.anonymousId,
    authorSessionId: author.id,
    authorRole: "participant",
    content: { type: "text", text },
    mentions: [],
    createdAt: new Date().toISOString(),
  };
}

export function makeAuthor() {
  const id = randomUUID();
  return { id, name: `Guest ${id.slice(0, 4)}`, anonymousId: id.slice(0, 6) };
}

export function makeRooms() {
  const seqs = new Map();
  return (room) => {
    const seq = (seqs.get(room) ?? 0) + 1;
    seqs.set(room, seq);
    return seq;
  };
}

export function listen(server) {
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
    console.log(`listening on http://127.0.0.1:${server.address().port}`);
  });
}

// A chat on bare ws, in memory: a loop over the sockets of a room, as the examples of ws broadcast.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { listen, makeAuthor, makeMessage, makeRooms } from "./message.js";

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false });
const nextSeq = makeRooms();
const rooms = new Map();

sockets.on("connection", (socket, request) => {
  const room = request.url.slice(1);
  const author = makeAuthor();
  if (!rooms.has(room)) rooms.set(room, new Set());
  const members = rooms.get(room);
  members.add(socket);
  socket.on("close", () => members.delete(socket));
  socket.on("message", (data) => {
    const { text, clientMsgId } = JSON.parse(data).data;
    const message = makeMessage(room, author, nextSeq(room), text);
    const { id, seq, createdAt } = message;
    socket.send(JSON.stringify({ event: "message_ack", data: { clientMsgId, serverMessageId: id, seq, createdAt } }));
    const frame = Buffer.from(JSON.stringify({ event: "message", data: message }));
    for (const member of members) member.send(frame, { binary: false });
  });
  socket.send('{"event":"identified"}');
});

listen(server);

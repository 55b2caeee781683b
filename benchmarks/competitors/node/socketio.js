// A chat on Socket.IO, in memory, with the settings of https://socket.io/docs/v4/performance-tuning/.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { listen, makeAuthor, makeMessage, makeRooms } from "./message.js";

const tuned = { transports: ["websocket"], perMessageDeflate: false, httpCompression: false, serveClient: false };
const server = createServer();
const io = new Server(server, process.env.CHAT_DEFAULTS ? {} : tuned);
const nextSeq = makeRooms();

if (!process.env.CHAT_DEFAULTS) {
  io.engine.on("connection", (raw) => {
    raw.request = null; // frees the memory of the first request
  });
}

io.on("connection", (socket) => {
  const author = makeAuthor();
  const { room } = socket.handshake.auth;
  socket.join(room);
  socket.on("send_message", ({ text, clientMsgId }, acknowledge) => {
    const message = makeMessage(room, author, nextSeq(room), text);
    acknowledge({ clientMsgId, serverMessageId: message.id, seq: message.seq, createdAt: message.createdAt });
    io.to(room).emit("message", message);
  });
  socket.emit("identified", { room });
});

listen(server);

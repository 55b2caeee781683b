// A chat on Express and Postgres, as it is commonly written: REST to join and to read, a WebSocket to talk.
// It speaks as much of anonchat's protocol as the benchmark needs. What is sent is stored before it is acknowledged.
import { randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import express from "express";
import pg from "pg";
import { WebSocketServer } from "ws";
import { listen } from "./message.js";

const pool = new pg.Pool({ host: process.env.CHAT_POSTGRES, user: "chat", database: "postgres", max: 10 });

await pool.query(`
  CREATE TABLE rooms (id uuid PRIMARY KEY, title text NOT NULL, token text NOT NULL, seq bigint NOT NULL DEFAULT 0);
  CREATE TABLE sessions (id uuid PRIMARY KEY, room_id uuid NOT NULL REFERENCES rooms, username text NOT NULL,
    token text NOT NULL UNIQUE, UNIQUE (room_id, username));
  CREATE TABLE messages (id uuid PRIMARY KEY, room_id uuid NOT NULL REFERENCES rooms, seq bigint NOT NULL,
    session_id uuid NOT NULL, username text NOT NULL, text text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (room_id, seq))`);

// Named statements are prepared once for each connection.
const query = async (name, text, values) => (await pool.query({ name, text, values })).rows;

const wire = (row) => ({
  id: row.id,
  roomId: row.room_id,
  seq: Number(row.seq),
  changedSeq: Number(row.seq),
  authorUsername: row.username,
  anonymousId: row.session_id.slice(0, 6),
  authorSessionId: row.session_id,
  authorRole: "participant",
  content: { type: "text", text: row.text },
  mentions: [],
  createdAt: row.created_at.toISOString(),
});

const sessionOf = async (token) => (await query("session", "SELECT * FROM sessions WHERE token = $1", [token]))[0];

async function page(room, before, limit) {
  const text = "SELECT * FROM messages WHERE room_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
  return (await query("page", text, [room, before ?? "9223372036854775807", limit])).reverse().map(wire);
}

async function missed(room, since) {
  const text = "SELECT * FROM messages WHERE room_id = $1 AND seq > $2 ORDER BY seq LIMIT 300";
  return (await query("missed", text, [room, since])).map((row) => ({ event: "message", data: wire(row) }));
}

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.use(express.json());

app.post("/api/rooms", async (request, response) => {
  const id = randomUUID();
  const token = randomBytes(18).toString("base64url");
  await query("room", "INSERT INTO rooms (id, title, token) VALUES ($1, $2, $3)", [id, request.body.title, token]);
  response.status(201).json({ roomId: id, inviteToken: token, moderatorToken: token });
});

app.post("/api/rooms/:room/join", async (request, response) => {
  const { room } = request.params;
  const { username, inviteToken, moderatorToken } = request.body;
  const found = await query("token", "SELECT token FROM rooms WHERE id = $1", [room]);
  if (found[0]?.token !== (inviteToken ?? moderatorToken)) return response.status(403).json({ code: "invalid_invite" });
  const session = { id: randomUUID(), token: randomBytes(32).toString("hex") };
  const text = "INSERT INTO sessions (id, room_id, username, token) VALUES ($1, $2, $3, $4)";
  await query("join", text, [session.id, room, username, session.token]);
  response.status(201).json({ sessionToken: session.token, sessionId: session.id, role: "participant" });
});

app.get("/api/rooms/:room/messages", async (request, response) => {
  const session = await sessionOf(request.get("authorization")?.slice(7));
  if (session?.room_id !== request.params.room) return response.status(403).json({ code: "forbidden" });
  const messages = await page(session.room_id, request.query.before, Number(request.query.limit ?? 50));
  const [room] = await query("seq", "SELECT seq FROM rooms WHERE id = $1", [session.room_id]);
  response.json({ messages, hasMore: messages[0]?.seq > 1, epoch: "1", seq: Number(room.seq) });
});

const server = createServer(app);
const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false });
const rooms = new Map();

async function identify(socket, { token, since }) {
  const session = await sessionOf(token);
  if (!session) return socket.close(4401);
  socket.session = session;
  if (!rooms.has(session.room_id)) rooms.set(session.room_id, new Set());
  rooms.get(session.room_id).add(socket);
  socket.send(JSON.stringify({ event: "identified", data: { sessionId: session.id } }));
  const state =
    since === undefined
      ? { event: "history_chunk", data: { messages: await page(session.room_id, undefined, 50) } }
      : { event: "replay", data: { events: await missed(session.room_id, since) } };
  socket.send(JSON.stringify(state));
}

async function send(socket, { text, clientMsgId }) {
  const { id: author, room_id: room, username } = socket.session;
  const statement = `WITH place AS (UPDATE rooms SET seq = seq + 1 WHERE id = $2 RETURNING seq)
    INSERT INTO messages (id, room_id, seq, session_id, username, text) SELECT $1, $2, seq, $3, $4, $5 FROM place RETURNING *`;
  const [row] = await query("send", statement, [randomUUID(), room, author, username, text]);
  const { id, seq, createdAt } = wire(row);
  socket.send(JSON.stringify({ event: "message_ack", data: { clientMsgId, serverMessageId: id, seq, createdAt } }));
  const frame = Buffer.from(JSON.stringify({ event: "message", data: wire(row) }));
  for (const member of rooms.get(room)) member.send(frame, { binary: false });
}

sockets.on("connection", (socket) => {
  socket.on("close", () => rooms.get(socket.session?.room_id)?.delete(socket));
  let last = Promise.resolve(); // one after the other, or messages would overtake each other
  socket.on("message", (data) => {
    const { event, data: content } = JSON.parse(data);
    last = last.then(() => (event === "identify" ? identify : send)(socket, content)).catch(() => socket.close(1011));
  });
});

listen(server);

// A bare `ws` relay: the dialect of ../wsrelay.c, with JSON parsed and written. node ws.mjs PORT
import { WebSocketServer } from "ws";

const backs = [];
const subscribers = new Set();
const pending = new Map();
let sequence = 0;

function relay(socket, frame) {
  if (frame.type === "call") {
    const id = String(++sequence);
    pending.set(id, { caller: socket, id: frame.id });
    backs[sequence % backs.length]?.send(JSON.stringify({ ...frame, id }));
  } else if (frame.type === "result") {
    const call = pending.get(frame.id);
    pending.delete(frame.id);
    call?.caller.send(JSON.stringify({ ...frame, id: call.id }));
  } else if (frame.type === "publish") {
    const text = JSON.stringify({ ...frame, type: "message" });
    for (const subscriber of subscribers) subscriber.send(text);
  }
}

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), perMessageDeflate: false });
server.on("connection", (socket, request) => {
  if (request.url === "/back") backs.push(socket);
  if (request.url === "/sub") subscribers.add(socket);
  socket.on("message", (text) => relay(socket, JSON.parse(text)));
  socket.on("close", () => {
    subscribers.delete(socket);
    if (backs.includes(socket)) backs.splice(backs.indexOf(socket), 1);
  });
});

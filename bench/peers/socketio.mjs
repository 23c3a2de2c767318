// A Socket.IO relay as its documentation would have it: acknowledgements answer calls, a room is the channel.
// node socketio.mjs PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer((_, response) => response.end());
const io = new Server(http, { transports: ["websocket"] });
const backs = [];
let turn = 0;

io.on("connection", (socket) => {
  const role = socket.handshake.query.role;
  if (role === "back") backs.push(socket);
  if (role === "sub") socket.join("t");
  socket.on("call", (call, answer) => backs[++turn % backs.length]?.emit("call", call, answer));
  socket.on("publish", (data) => io.to("t").emit("message", data));
  socket.on("disconnect", () => {
    if (role === "back") backs.splice(backs.indexOf(socket), 1);
  });
});
http.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 });

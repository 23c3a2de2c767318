// Programs that use the SDKs, for test_drain.py: `server` adds, `callers` are three front ends that call all the time.
// Each prints what its listeners got and what became of each call.
const { join } = require('node:path');
const gluer = (name) => require(join(process.env.SDKS, name, 'dist', 'index.cjs'));
const say = (...words) => console.log(words.join(' '));

function listen(client) {
  client.addEventListener('connection', ({ detail }) => say('connection', detail.reconnected));
  client.addEventListener('disconnect', ({ detail }) => detail.reconnecting && say('disconnect', detail.message));
  client.addEventListener('error', ({ detail }) => say('error', detail.message));
}

function server() {
  const back = gluer('gluer-nodejs').createClient();
  listen(back);
  back.register_plugin('once', 'add', async ({ number }) => {
    say('began', number);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
    return number;
  });
  back.connect(process.env.KEY);
}

function callers() {
  const WebSocket = require(join(process.env.SDKS, 'node_modules', 'ws'));
  let [count, stopping] = [0, false];
  const clients = Array.from({ length: 3 }, () => {
    const client = gluer('gluer-js').createClient();
    client.setup({ project: process.env.KEY, WebSocket });
    listen(client);
    client.connect();
    return client;
  });
  async function lane(client) {
    while (!stopping) {
      const number = ++count;
      try {
        const { data } = await client.sendMsgSync('once:add', { number }, 10_000);
        say(data === number ? 'result' : 'wrong', number);
      } catch (error) {
        say(error.code, number, error.message);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  const lanes = clients.flatMap((client) => Array.from({ length: 5 }, () => lane(client)));
  process.on('SIGTERM', () => {
    stopping = true;
    Promise.all(lanes).then(() => clients.forEach((client) => client.disconnect()));
  });
}

({ server, callers })[process.argv[2]]();

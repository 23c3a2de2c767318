// Programs that use the SDKs, for tests of restarts: `server` adds, `callers` are three front ends that call all the time,
// `publishers` two back ends that publish all the time and listen, `subscribers` ten front ends that listen.
// Each prints what its listeners got and what became of each call or publish.
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

function frontEnds(length) {
  const WebSocket = require(join(process.env.SDKS, 'node_modules', 'ws'));
  return Array.from({ length }, () => {
    const client = gluer('gluer-js').createClient();
    client.setup({ project: process.env.KEY, WebSocket });
    listen(client);
    client.connect();
    return client;
  });
}

/** Prints `heard by:publisher number` for each message. */
function hear(client, by) {
  client.subscribe('news', ({ publisher, number }) => say('heard', `${by}:${publisher}`, number));
}

function subscribers() {
  frontEnds(10).forEach((client, by) => hear(client, `page-${by}`));
}

function publishers() {
  ['a', 'b'].forEach((publisher) => {
    const back = gluer('gluer-nodejs').createClient();
    listen(back);
    hear(back, `server-${publisher}`);
    back.connect(process.env.KEY);
    let count = 0;
    const timer = setInterval(() => {
      const number = ++count;
      back.publish('news', { publisher, number }).then(() => say('published', publisher, number), ({ code }) => say(code, publisher, number));
    }, 20);
    process.on('SIGUSR2', () => { // publish no more, and listen on
      clearInterval(timer);
      say('last', publisher, count);
    });
  });
}

function callers() {
  let [count, stopping] = [0, false];
  const clients = frontEnds(3);
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

({ server, callers, publishers, subscribers })[process.argv[2]]();

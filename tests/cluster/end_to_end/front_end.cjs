// A page's part, by gluer-js.
const { listen, obey, sdk, tell } = require('./talk.cjs');
const gluer = sdk('gluer-js').createClient();
const cancels = new Map(); // by the calls' names

/** The options of a call that the test has named: its progress is told, and it can be cancelled. */
function options({ name, ...others }) {
  const cancel = new AbortController();
  cancels.set(name, cancel);
  return { ...others, signal: cancel.signal, onProgress: (data) => tell('progress', { name, data }) };
}

listen(gluer);
obey({
  connect: ({ session }) => {
    gluer.setup({ project: process.env.KEY, sessionId: session });
    return gluer.connect();
  },
  call: async ({ cmd, data, ...rest }) => {
    const began = performance.now();
    try {
      return await gluer.sendMsgSync(cmd, data, options(rest));
    } finally {
      tell('ended', { name: rest.name, after: performance.now() - began });
    }
  },
  http: ({ cmd, data, ...rest }) => gluer.sendHttp(cmd, data, options(rest)),
  cancel: ({ name }) => cancels.get(name).abort(),
  send: ({ cmd, data }) => gluer.sendMsg(cmd, data),
  on: ({ name }) => gluer.on(name, (data, { header, progress }) => {
    tell('asked', { name, data });
    progress('asked');
    return { data, header };
  }),
  subscribe: ({ channel }) => { gluer.subscribe(channel, (data) => tell('message', { channel, data })); },
});

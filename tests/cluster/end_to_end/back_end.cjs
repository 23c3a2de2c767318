// A server's part, by gluer-nodejs: the functions of a shop, which tell what they run.
const { EventEmitter } = require('node:events');
const { setTimeout: pass } = require('node:timers/promises');
const { listen, obey, sdk, tell } = require('./talk.cjs');
const gluer = sdk('gluer-nodejs').createClient();

const circle = { password: 'secret' };
circle.self = circle;
const answers = { circle, map: new Map(), large: 'x'.repeat(2_000_000) };

const functions = Object.assign(new EventEmitter(), {
  add: ({ a, b }) => ({ result: a + b }),
  refuse: (data) => { throw Object.assign(new Error('Sold out.'), { code: 'rejected', data }); },
  who: (_, { header }) => header,
  answer: ({ kind }) => answers[kind],
  report: ({ parts }, context) => {
    for (let part = 0; part < parts; part++) context.progress(part);
    context.outcome = 'report.made';
    return 'done';
  },
  work: async ({ number, ms }, { signal }) => {
    tell('began', { number });
    await pass(ms, null, { signal }).catch(() => {});
    tell(signal.aborted ? 'stopped' : 'finished', { number });
    return number;
  },
});

listen(gluer);
obey({
  connect: async ({ name, drainOnSignal }) => {
    gluer.register_object('shop', functions);
    return gluer.connect(process.env.KEY, { name, drainOnSignal });
  },
  call: async ({ cmd, data, to, timeout }) => {
    const reported = [];
    const reply = await gluer.call(cmd, data, { to, timeout, onProgress: (part) => reported.push(part) });
    return { ...reply, reported };
  },
  send: ({ cmd, data, to }) => gluer.send(cmd, data, { to }),
  publish: ({ channel, data }) => gluer.publish(channel, data),
  subscribe: ({ channel }) => { gluer.subscribe(channel, (data) => tell('message', { channel, data })); },
  disconnect: () => gluer.disconnect(),
});

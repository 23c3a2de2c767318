import { hostname } from 'node:os';
import { expect, vi } from 'vitest';
import { FakeRelay, PRIVATE_KEY, PUBLIC_KEY, rejection, until } from '../../core/test/fake_relay.ts';
import { GluerServer } from '../src/client.ts';
import { FAST, test } from './back_end.ts';

test('connect() says hello with the private key, and resolves at the welcome', async ({ relay, server }) => {
  const standing = server.connect(PRIVATE_KEY);
  const guest = await relay.welcomes();
  expect(await standing).toMatchObject({ peer: 'backend' });
  expect(guest.hello).toEqual({ type: 'hello', key: PRIVATE_KEY, session: expect.stringMatching(/^[0-9a-f]{32}$/), name: hostname(), sdk: 'gluer-nodejs/0.1.0' });
  expect(server.state).toBe('connected');
});

test('connect() takes URL, password and name', async ({ relay }) => {
  const server = new GluerServer(FAST);
  void server.connect(PRIVATE_KEY, { url: relay.url, password: 'secret', name: 'billing-1' });
  expect((await relay.welcomes()).hello).toMatchObject({ password: 'secret', name: 'billing-1' });
  await server.disconnect({ drain: false });
});

test('the URL may be set after connect() in the same turn', async ({ relay }) => {
  const server = new GluerServer(FAST);
  void server.connect(PRIVATE_KEY, { url: 'ws://127.0.0.1:9' });
  server.set_websocket_url(relay.url);
  await relay.welcomes();
  await server.disconnect({ drain: false });
});

test('GLUER_URL of the environment is the URL, unless the program names one', async ({ relay }) => {
  vi.stubEnv('GLUER_URL', relay.url);
  const server = new GluerServer(FAST);
  void server.connect(PRIVATE_KEY);
  await relay.welcomes();
  await server.disconnect({ drain: false });
  vi.unstubAllEnvs();
});

test('mistakes are thrown at once', ({ server }) => {
  expect(() => server.connect(PUBLIC_KEY)).toThrow(/public key.*private key.*copy it/);
  expect(() => server.connect('YOUR_PRIVATE_KEY')).toThrow(/gluer_prv_/);
  expect(() => server.connect(PRIVATE_KEY, { url: 'nowhere' })).toThrow(/wss:/);
  expect(() => server.set_websocket_url('nowhere')).toThrow(/wss:/);
  expect(server.state).toBe('disconnected');
});

test('another key needs a disconnect() first', async ({ server, connected, relay }) => {
  await connected();
  await server.connect(PRIVATE_KEY);
  const other = PRIVATE_KEY.replace('b3', 'c4');
  expect(() => server.connect(other)).toThrow(/disconnect\(\) first/);
  void server.disconnect();
  void server.connect(other);
  expect((await relay.welcomes()).hello['key']).toBe(other);
});

test('the session is kept across reconnects', async ({ relay, connected }) => {
  const first = await connected();
  first.vanishes();
  expect((await relay.welcomes()).hello['session']).toBe(first.hello['session']);
});

test('it says that it is connected again, and how long it was away', async ({ relay, server, events, connected }) => {
  const guest = await connected();
  const { port } = relay;
  guest.vanishes();
  await relay.stop();
  await until('a failed attempt', () => events.some(([type]) => type === 'error'));
  const back = await FakeRelay.start(port);
  await back.welcomes();
  await until('connected', () => server.state === 'connected');
  expect(events.at(-1)).toEqual(['connection', expect.objectContaining({ reconnected: true, away: expect.any(Number) })]);
  expect(events.at(-1)![1]['away']).toBeGreaterThan(0);
  await server.disconnect({ drain: false });
  await back.stop();
});

test('who listens to nothing reads when the relay is out of reach, and when it is there again', async ({ relay, server }) => {
  const printed: string[] = [];
  for (const level of ['error', 'warn'] as const) vi.spyOn(console, level).mockImplementation((line) => { printed.push(String(line)); });
  const { port } = relay;
  await relay.stop();
  void server.connect(PRIVATE_KEY);
  for (const again of ['', 'again ']) {
    await until('a complaint', () => printed.length === 1);
    const back = await FakeRelay.start(port);
    await back.welcomes();
    await until('relief', () => printed.length === 2);
    expect(printed.splice(0)).toEqual([
      expect.stringMatching(/^gluer: relay_unavailable: No connection to ws:/),
      expect.stringMatching(new RegExp(`^gluer: connected ${again}to ws://127.0.0.1:${String(port)} after 0\\.\\d s\\.$`)),
    ]);
    await back.stop();
  }
});

test('a relay that says nothing is asked and left, though nobody calls', async ({ relay }) => {
  const server = new GluerServer({ ...FAST, watch: 30, quiet: 30, answer: 1_000 });
  const standing = server.connect(PRIVATE_KEY, { url: relay.url });
  const guest = await relay.welcomes();
  await standing;
  await until('questions that are answered', () => guest.pings >= 3);
  guest.answersPings = false;
  await relay.welcomes();
  await server.disconnect({ drain: false });
});

test('bye without reconnect stops, and rejects connect()', async ({ relay, server, events }) => {
  const standing = server.connect(PRIVATE_KEY);
  (await relay.meets()).bye(4401, { code: 'unauthorized', message: 'The password is missing.', reconnect: false });
  expect(await rejection(standing)).toMatchObject({ code: 'unauthorized', message: 'The password is missing.' });
  expect(events).toEqual([['error', { code: 'unauthorized', message: `The password is missing. (The relay is ${relay.url}.)` }]]);
});

test('call, send, subscribe and unsubscribe are those of a front end', async ({ server, connected }) => {
  const guest = await connected();
  const heard = vi.fn();
  server.subscribe('news', heard);
  await guest.receives('subscribe');
  guest.sends({ type: 'message', channel: 'news', data: 1 });
  await until('the message', () => heard.mock.calls.length > 0);
  server.unsubscribe('news');
  await guest.receives('unsubscribe');
  server.send('log:write', { line: 1 });
  expect(await guest.receives()).toEqual({ type: 'send', cmd: 'log:write', data: { line: 1 } });
  const call = server.call('calculator:add', { a: 5 }, 1_000);
  const frame = await guest.receives('call');
  expect(frame).toMatchObject({ cmd: 'calculator:add', data: { a: 5 } });
  guest.results(frame, 8);
  expect(await call).toEqual({ data: 8 });
});

test('publish resolves to the number of receivers', async ({ server, connected }) => {
  const guest = await connected();
  const published = server.publish('news', { n: 1 });
  const frame = await guest.receives('publish');
  expect(frame).toMatchObject({ channel: 'news', data: { n: 1 }, id: expect.any(String) });
  guest.results(frame, { receivers: 3 });
  expect(await published).toEqual({ receivers: 3 });
});

test('a publish that fails rejects, raises the error event, and may be ignored', async ({ server, connected, events }) => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  const guest = await connected();
  void server.publish('news', 1);
  guest.errors(await guest.receives('publish'), 'quota_exceeded');
  await until('the error', () => events.length > 1);
  expect(events[1]![1]).toMatchObject({ code: 'quota_exceeded', about: { type: 'publish', channel: 'news' } });
  expect(await rejection(server.publish('$gluer.x', 1))).toMatchObject({ code: 'invalid_arguments' });
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

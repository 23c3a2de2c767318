import { createServer } from 'node:http';
import { expect, vi } from 'vitest';
import WebSocket from 'ws';
import { FakeRelay, PRIVATE_KEY, PUBLIC_KEY, rejection, until } from '../../core/test/fake_relay.ts';
import { GluerError } from '../../core/src/errors.ts';
import { GluerClient } from '../src/client.ts';
import { TabSessions } from '../src/tab_sessions.ts';
import { FAST, makeClient, test } from './front_end.ts';

test('connect() says hello at the project and resolves at the welcome', async ({ relay, client, events }) => {
  const standing = client.connect();
  expect(client.state).toBe('connecting');
  const guest = await relay.welcomes();
  const welcome = await standing;
  expect(guest).toMatchObject({ url: '/v1/ws/abcdefghijkl', protocol: 'gluer.v1.json' });
  expect(guest.hello).toEqual({ type: 'hello', key: PUBLIC_KEY, session: expect.stringMatching(/^[0-9a-f]{32}$/), sdk: 'gluer-js/0.1.0' });
  expect(guest.url).not.toContain(PUBLIC_KEY);
  expect(welcome).toMatchObject({ connection: 'c1', session: guest.hello['session'], peer: 'frontend' });
  expect(events).toEqual([['connection', { connection: 'c1', session: guest.hello['session'], reconnected: false }]]);
  expect(client.state).toBe('connected');
});

test('connect() again is the same connection', async ({ relay, client, connected }) => {
  await connected();
  await client.connect();
  expect(relay.guests).toHaveLength(1);
});

test('the URL may still change in the turn of connect()', async ({ relay, client }) => {
  client.setup({ url: 'ws://127.0.0.1:9' });
  const standing = client.connect();
  client.setup({ url: relay.url.replace('ws:', 'http:') });
  await relay.welcomes();
  await standing;
});

test('GLUER_URL of the environment is the URL, unless setup() names one', async ({ relay }) => {
  vi.stubEnv('GLUER_URL', relay.url);
  const client = new GluerClient(new TabSessions({}), FAST);
  client.setup({ project: PUBLIC_KEY, WebSocket });
  const standing = client.connect();
  await relay.welcomes();
  await standing;
  client.disconnect();
  vi.unstubAllEnvs();
});

test('mistakes in setup() are raised at once and change nothing', ({ client }) => {
  expect(() => client.setup({ project: PRIVATE_KEY })).toThrow(/private key.*public key/);
  expect(() => client.setup({ url: 'nowhere', sessionId: 'x'.repeat(20) })).toThrow(/wss:/);
  expect(() => client.setup({ sessionId: 'short' })).toThrow(/16 to 128/);
  expect(() => new GluerClient(new TabSessions({})).connect()).toThrow(/public key/);
  expect(() => client.setup(undefined as never)).toThrow(/setup\(\) takes an object of these options: project, url, sessionId, WebSocket/);
  expect(() => client.setup({ projct: PUBLIC_KEY } as never)).toThrow(/setup\(\) has no option 'projct'/);
  expect(() => client.setup({ WebSocket: 'ws' as never })).toThrow(/option WebSocket of setup\(\) .* function/);
  for (const wrong of [null, 5, { url: null }, { project: null }, { sessionId: null }]) expect(() => client.setup(wrong as never)).toThrow(GluerError);
});

test('a platform without WebSocket is told what to do', () => {
  vi.stubGlobal('WebSocket', undefined);
  const client = new GluerClient(new TabSessions({}));
  client.setup({ project: PUBLIC_KEY });
  expect(() => client.connect()).toThrow(/setup\(\{ WebSocket \}\)/);
  vi.unstubAllGlobals();
});

test('the connection comes back with the same session', async ({ relay, client, connected, events }) => {
  const first = await connected();
  first.vanishes();
  const second = await relay.welcomes();
  await until('connected', () => client.state === 'connected');
  expect(second.hello['session']).toBe(first.hello['session']);
  expect(events.map(([type]) => type)).toEqual(['connection', 'disconnect', 'connection']);
  expect(events[1]![1]).toMatchObject({ code: 'connection_lost', reconnecting: true });
  expect(events[2]![1]).toMatchObject({ reconnected: true });
});

test("setup's sessionId wins, and one that can be guessed brings a warning", async ({ client, connected }) => {
  const warned = vi.spyOn(console, 'warn').mockReturnValue();
  client.setup({ sessionId: '5f0c1d9e-7a3b-4c2d-8e6f-1a2b3c4d5e6f' });
  expect(warned).not.toHaveBeenCalled();
  client.setup({ sessionId: 'my-own-session-id' });
  expect(warned).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/guessed.*crypto.randomUUID/));
  expect(() => client.setup({ sessionId: 'your-unique-session' })).toThrow(/placeholder/);
  expect((await connected()).hello['session']).toBe('my-own-session-id');
});

test('a session that is full is told by its name, once, and tried again', async ({ relay, client, events }) => {
  const standing = client.connect();
  for (let n = 0; n < 2; n++) (await relay.meets()).bye(4429, { code: 'rate_limited', message: 'This session is full.' });
  await relay.welcomes();
  await standing;
  expect(events.map(([type]) => type)).toEqual(['error', 'connection']);
  expect(events[0]![1]).toMatchObject({ code: 'rate_limited', message: expect.stringMatching(/^The relay at ws:.* does not take this connection now: This session is full\. Trying again now\.$/) });
});

test('ping is answered by pong', async ({ connected }) => {
  const guest = await connected();
  guest.sends({ type: 'ping' });
  expect(await guest.receives()).toEqual({ type: 'pong' });
});

test('a silent connection is left for a new one, and its calls end', async ({ relay }) => {
  relay.welcome = { ping: 0.05 };
  const client = makeClient(relay, { ...FAST, grace: 50, late: 20 });
  void client.connect();
  const guest = await relay.welcomes();
  const call = client.sendMsgSync('a:b');
  guest.freezes();
  expect(await rejection(call)).toMatchObject({ code: 'connection_lost', message: 'Nothing was heard from the relay.' });
  await relay.welcomes();
  client.disconnect();
});

test('a connection that is heard from is kept', async ({ relay }) => {
  relay.welcome = { ping: 0.05 };
  const client = makeClient(relay, { ...FAST, grace: 100, late: 20 });
  const standing = client.connect();
  const guest = await relay.welcomes();
  await standing;
  for (let n = 0; n < 10; n++) {
    guest.sends({ type: 'ping' });
    await guest.receives('pong');
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  expect(relay.guests).toHaveLength(1);
  client.disconnect();
});

test('a program that was held up reads first and judges then', async ({ relay }) => {
  relay.welcome = { ping: 0.05 };
  const client = makeClient(relay, { ...FAST, grace: 50, late: 50 });
  const standing = client.connect();
  const guest = await relay.welcomes();
  await standing;
  guest.sends({ type: 'ping' });
  const end = performance.now() + 300;
  while (performance.now() < end); // the event loop stands still; the ping waits in the socket
  await guest.receives('pong');
  expect(relay.guests).toHaveLength(1);
  client.disconnect();
});

test('a socket without a welcome is left for a new one', async ({ relay }) => {
  const client = makeClient(relay, { ...FAST, handshake: 50 });
  client.addEventListener('error', () => undefined);
  void client.connect();
  const silent = await relay.meets();
  await relay.welcomes();
  await until('the first one to be closed', () => silent.closed !== undefined);
  client.disconnect();
});

test('a relay that is not there is waited for, and complained about once', async ({ events, client, relay }) => {
  const { port } = relay;
  await relay.stop();
  const standing = client.connect();
  await until('a complaint', () => events.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const back = await FakeRelay.start(port);
  await back.welcomes();
  await standing;
  expect(events.map(([type]) => type)).toEqual(['error', 'connection']);
  const sentence = new RegExp(`^No connection to ws://127.0.0.1:${String(port)} \\(connect ECONNREFUSED .*\\). Trying again now\\.$`);
  expect(events[0]![1]).toMatchObject({ code: 'relay_unavailable', message: expect.stringMatching(sentence) });
  client.disconnect();
  await back.stop();
});

test('an outage after disconnect() and connect() is told again', async ({ relay, client, events }) => {
  await relay.stop();
  for (const told of [1, 2]) {
    void client.connect();
    await until('a complaint', () => events.length === told);
    client.disconnect();
  }
});

test('a call that never found a connection says where there is none, and why', async ({ relay, client, events }) => {
  client.setup({ url: relay.url.replace('127.0.0.1', 'localhost') }); // of several addresses none listens
  await relay.stop();
  void client.connect();
  await until('a failed attempt', () => events.length === 1);
  const call = client.sendMsgSync('a:b', {}, 100);
  const sentence = new RegExp(`^No connection to ws://localhost:\\d+ stood before the deadline \\(connect ECONNREFUSED .*\\)\\.$`);
  expect(await rejection(call)).toMatchObject({ code: 'deadline_exceeded', message: expect.stringMatching(sentence) });
});

test('who forgot to say where the relay is, is told how', async () => {
  class Unreachable extends WebSocket {
    constructor() { super('ws://127.0.0.1:9'); }
  }
  vi.stubEnv('GLUER_URL', '');
  const client = new GluerClient(new TabSessions({}), FAST);
  client.setup({ project: PUBLIC_KEY, WebSocket: Unreachable });
  const complaint = new Promise<string>((resolve) => { client.addEventListener('error', (event) => { resolve(event.detail.message); }); });
  void client.connect();
  expect(await complaint).toMatch(/No connection to wss:\/\/ws\.gluer\.io \(.*elsewhere.*GLUER_URL/);
  client.disconnect();
  vi.unstubAllEnvs();
});

test('a server that is no relay is not believed', async ({ client, events }) => {
  const server = createServer((_, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client.setup({ url: `ws://127.0.0.1:${String((server.address() as { port: number }).port)}` });
  void client.connect();
  await until('a complaint', () => events.length > 0);
  expect(events[0]![1]['message']).toContain('404');
  client.disconnect();
  server.close();
});

test('bye without reconnect stops, and says why to everybody', async ({ relay, client, events }) => {
  const standing = client.connect();
  const call = client.sendMsgSync('a:b');
  const guest = await relay.meets();
  guest.bye(4401, { code: 'unauthorized', message: 'Unknown key.', reconnect: false });
  expect(await rejection(standing)).toMatchObject({ code: 'unauthorized', message: 'Unknown key.' });
  expect(await rejection(call)).toMatchObject({ code: 'unauthorized' });
  expect(events).toEqual([['error', { code: 'unauthorized', message: `Unknown key. (The relay is ${relay.url}.)` }]]);
  expect(client.state).toBe('disconnected');
  expect(await rejection(client.sendMsgSync('a:b'))).toMatchObject({ code: 'unauthorized' });
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(relay.guests).toHaveLength(1);
});

test('a revoked key ends a standing connection for good; connect() may be tried again', async ({ relay, client, connected, events }) => {
  const guest = await connected();
  const call = client.sendMsgSync('a:b');
  await guest.receives('call');
  guest.bye(4410, { code: 'unauthorized', message: 'Revoked.', reconnect: false });
  expect(await rejection(call)).toMatchObject({ code: 'connection_lost' });
  expect(events.slice(1)).toEqual([
    ['disconnect', { code: 'unauthorized', message: 'Revoked.', reconnecting: false }],
    ['error', { code: 'unauthorized', message: `Revoked. (The relay is ${relay.url}.)` }],
  ]);
  void client.connect();
  await relay.welcomes();
});

test.for([[4401, 'unauthorized'], [4403, 'forbidden'], [4400, 'bad_frame'], [1007, 'connection_lost']] as const)('the close code %i alone stops too', async ([code, name], { relay, client }) => {
  client.addEventListener('error', () => undefined);
  const standing = client.connect();
  (await relay.welcomes()).closes(code);
  await standing;
  await until('the end', () => client.state === 'disconnected');
  expect(await rejection(client.sendMsgSync('a:b'))).toMatchObject({ code: name });
});

test.for([1000, 1001, 1012, 4408, 4409, 4429, 4430, 4999])('the close code %i is reason to come back', async (code, { relay, client }) => {
  void client.connect();
  (await relay.welcomes()).closes(code);
  await relay.welcomes();
});

test("bye's `after` is waited, even by a client in a hurry", async ({ relay, client, connected }) => {
  const guest = await connected();
  const start = performance.now();
  guest.bye(1012, { reconnect: true, after: 150 });
  await until('reconnecting', () => client.state === 'reconnecting');
  client.hurry();
  await relay.welcomes();
  expect(performance.now() - start).toBeGreaterThanOrEqual(150);
  client.disconnect();
});

test('connections that do not stand long are tried ever more slowly', async ({ relay }) => {
  const client = makeClient(relay, { backoff: { first: 50, most: 10_000 }, stable: 10_000 });
  vi.spyOn(Math, 'random').mockReturnValue(1);
  void client.connect();
  const losses: number[] = [];
  let wait = 0;
  for (let n = 0; n < 8; n++) {
    const guest = await relay.welcomes();
    await until('connected', () => client.state === 'connected');
    losses.push(performance.now());
    guest.vanishes();
    await until('the next one', () => relay.guests.length > n + 1);
    wait = performance.now() - losses.at(-1)!;
  }
  expect(wait).toBeGreaterThan((losses.at(-1)! - losses[0]!) / 4); // half of the outage, as the client saw it
  client.disconnect();
});

test('hurry() ends a wait', async ({ relay }) => {
  const client = makeClient(relay, { backoff: { first: 60_000, most: 60_000 }, stable: 0 });
  const standing = client.connect();
  (await relay.welcomes()).vanishes();
  await standing;
  await until('reconnecting', () => client.state === 'reconnecting');
  client.hurry();
  await relay.welcomes();
  client.disconnect();
});

test('disconnect() closes the socket and stays away', async ({ relay, client, connected, events }) => {
  const guest = await connected();
  client.disconnect();
  expect(client.state).toBe('disconnected');
  await until('the close', () => guest.closed === 1000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(relay.guests).toHaveLength(1);
  expect(events[1]).toEqual(['disconnect', { code: 'connection_lost', message: 'disconnect() was called.', reconnecting: false }]);
});

test('disconnect() in every state is quiet, and connect() works again', async ({ relay, client }) => {
  client.disconnect();
  for (const wait of [0, 1, 5]) {
    const standing = rejection(client.connect());
    await new Promise((resolve) => setTimeout(resolve, wait));
    client.disconnect();
    expect(await standing).toMatchObject({ code: 'connection_lost' });
  }
  const met = relay.guests.length;
  const standing = client.connect();
  await until('a new connection', () => relay.guests.length > met);
  let guest = await relay.meets();
  while (guest !== relay.guests.at(-1)) guest = await relay.meets();
  relay.greets(guest, await guest.receives('hello'));
  await standing;
});

test('disconnect() inside of a listener is obeyed', async ({ relay, client, connected }) => {
  const guest = await connected();
  client.addEventListener('disconnect', () => client.disconnect());
  guest.vanishes();
  await until('the end', () => client.state === 'disconnected');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(relay.guests).toHaveLength(1);
});

test('an ignored connect() that fails is no unhandled rejection', async ({ relay, client }) => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  client.addEventListener('error', () => undefined);
  void client.connect();
  (await relay.meets()).bye(4401, { code: 'unauthorized', reconnect: false });
  await until('the end', () => client.state === 'disconnected');
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

test('what is no frame is complained about and passed over', async ({ client, connected, events }) => {
  const guest = await connected();
  for (const text of ['nonsense', '[]', '{"no":"type"}']) guest.sendsText(text);
  guest.sends({ type: 'from the future' });
  const call = client.sendMsgSync('a:b');
  guest.results(await guest.receives('call'), 'alive');
  expect(await call).toEqual({ data: 'alive' });
  expect(events.slice(1).map(([, { code }]) => code as string)).toEqual(['bad_frame', 'bad_frame', 'bad_frame']);
});

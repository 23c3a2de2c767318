// A relay that hangs: it accepts connections and answers nothing (GP-3).
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, vi } from 'vitest';
import { BACKEND, FRONTEND } from '../../core/src/keys.ts';
import { timingOf } from '../../core/src/timing.ts';
import { rejection, until, type FakeRelay, type Fields, type Guest } from '../../core/test/fake_relay.ts';
import { FAST, makeClient, test } from './front_end.ts';

const WATCHFUL = { ...FAST, watch: 30, quiet: 30, answer: 1_000 };
const IMPATIENT = { ...FAST, handshake: 60 };
const OTHER = /^\/v1\/ws\/abcdefghijkl\?other=[A-Za-z0-9]{8}$/;

/** A server that accepts and stays silent; `asked` holds the path of each WebSocket that was to be opened. */
class Silent {
  readonly asked: string[] = [];
  readonly #sockets: Socket[] = [];
  readonly #server: Server = createServer((socket) => {
    this.#sockets.push(socket);
    socket.on('error', () => undefined).on('data', (data) => { this.asked.push(String(data).split(' ')[1]!); });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `ws://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/** The relay reads what is written, as a proxy before it would, and says nothing. */
function hangs(guest: Guest): void {
  guest.answersPings = false;
}

async function connected(relay: FakeRelay, timing = {}): Promise<[ReturnType<typeof makeClient>, Guest & { hello: Fields }]> {
  const client = makeClient(relay, { ...WATCHFUL, ...timing });
  const standing = client.connect();
  const guest = await relay.welcomes();
  await standing;
  return [client, guest];
}

test.for([FRONTEND, BACKEND])('from a hang to a good connection it takes at most 15 s, by the times of the protocol', (kind) => {
  const { quiet, answer, handshake } = timingOf(kind);
  const another = 1_000; // the second attempt begins when the first one ends, and is good
  expect(quiet + answer + handshake + another).toBeLessThanOrEqual(15_000);
});

test('who was refused once or heard nothing asks for another way, another one each time', async ({ relay }) => {
  const silent = new Silent();
  const client = makeClient(relay, IMPATIENT);
  client.addEventListener('error', () => undefined);
  client.setup({ url: await silent.start() });
  void client.connect();
  await until('three attempts', () => silent.asked.length >= 3);
  expect(silent.asked[0]).toBe('/v1/ws/abcdefghijkl');
  expect(silent.asked.slice(1, 3)).toEqual([expect.stringMatching(OTHER), expect.stringMatching(OTHER)]);
  expect(silent.asked[1]).not.toBe(silent.asked[2]);
  client.setup({ url: relay.url });
  expect((await relay.welcomes()).url).toMatch(OTHER);
  client.disconnect();
  silent.stop();
});

test('attempts may take longer when two have failed', async ({ relay }) => {
  const silent = new Silent();
  const client = makeClient(relay, { ...IMPATIENT, handshake: 100 });
  client.addEventListener('error', () => undefined);
  client.setup({ url: await silent.start() });
  void client.connect();
  await until('the first attempt', () => silent.asked.length >= 1);
  const start = performance.now();
  await until('the fifth', () => silent.asked.length >= 5);
  expect(performance.now() - start).toBeGreaterThan(600); // 100 + 100 + 200 + 400
  client.disconnect();
  silent.stop();
});

test('after a connection that held the usual way is tried first', async ({ relay }) => {
  const [client, guest] = await connected(relay);
  client.addEventListener('error', () => undefined);
  guest.vanishes();
  (await relay.meets()).vanishes();
  const other = await relay.welcomes();
  expect(other.url).toMatch(OTHER);
  await until('connected', () => client.state === 'connected');
  other.vanishes();
  expect((await relay.meets()).url).toBe('/v1/ws/abcdefghijkl');
  client.disconnect();
});

test('a relay that says nothing while a call waits is asked, and left when it does not answer', async ({ relay }) => {
  const [client, guest] = await connected(relay);
  hangs(guest);
  const call = client.sendMsgSync('a:b');
  expect(await rejection(call)).toMatchObject({ code: 'connection_lost', message: 'Nothing was heard from the relay.' });
  expect(guest.pings).toBe(1);
  const next = await relay.welcomes();
  expect(next.url).toBe('/v1/ws/abcdefghijkl');
  const again = client.sendMsgSync('a:b');
  next.results(await next.receives('call'), 'good');
  expect((await again).data).toBe('good');
  client.disconnect();
});

test('a relay that answers is not left, however long the function takes', async ({ relay }) => {
  const [client, guest] = await connected(relay);
  const call = client.sendMsgSync('a:slow');
  const frame = await guest.receives('call');
  await until('some questions', () => guest.pings >= 3);
  guest.results(frame, 'done');
  expect((await call).data).toBe('done');
  expect(relay.guests).toHaveLength(1);
  client.disconnect();
});

test('other frames than the pong prove it too', async ({ relay }) => {
  const [client, guest] = await connected(relay);
  hangs(guest);
  void client.sendMsgSync('a:b').catch(() => undefined);
  await guest.receives('call');
  const sending = setInterval(() => { guest.sends({ type: 'message', channel: 'news', data: 1 }); }, 100); // seldom enough for a question, often enough for an answer
  await until('the next question', () => guest.pings === 2);
  clearInterval(sending);
  expect(relay.guests).toHaveLength(1);
  client.disconnect();
});

test('a page that waits for nothing asks nothing', async ({ relay }) => {
  const [client, guest] = await connected(relay);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(guest.pings).toBe(0);
  client.disconnect();
});

test('a program that was busy when the answer came reads it before it judges', async ({ relay }) => {
  const [client, guest] = await connected(relay, { quiet: 50, answer: 200 });
  void client.sendMsgSync('a:b').catch(() => undefined);
  await until('the question', () => guest.pings === 1);
  const end = performance.now() + 300;
  while (performance.now() < end); // the pong lies in the socket, and the timer is first
  await until('another question', () => guest.pings >= 2);
  expect(relay.guests).toHaveLength(1);
  client.disconnect();
});

test('a relay that hangs is complained about once, in plain words', async ({ relay }) => {
  const printed = vi.spyOn(console, 'error').mockReturnValue();
  const silent = new Silent();
  const client = makeClient(relay, IMPATIENT);
  client.setup({ url: await silent.start() });
  void client.connect();
  await until('three attempts', () => silent.asked.length >= 3);
  expect(printed).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/relay_unavailable: No connection to ws:.* \(The relay did not answer in time\)\. Trying again/));
  client.disconnect();
  silent.stop();
});

import { expect } from 'vitest';
import { rejection, until } from '../../core/test/fake_relay.ts';
import { test } from './front_end.ts';

test('sendMsgSync resolves to the result with its id', async ({ client, connected }) => {
  const guest = await connected();
  const [first, second] = [client.sendMsgSync('a:b', { n: 1 }), client.sendMsgSync('a:b', { n: 2 })];
  const [one, two] = [await guest.receives('call'), await guest.receives('call')];
  expect([one, two]).toMatchObject([{ cmd: 'a:b', data: { n: 1 }, timeout: 30_000 }, { data: { n: 2 } }]);
  expect(one['id']).not.toBe(two['id']);
  guest.results(two, 'second');
  guest.sends({ type: 'result', id: one['id'], data: 'first', outcome: 'users.created' });
  expect(await first).toEqual({ data: 'first', outcome: 'users.created' });
  expect(await second).toEqual({ data: 'second' });
});

test('a refused call rejects with an Error that has all fields', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.sendMsgSync('a:b');
  guest.errors(await guest.receives('call'), 'quota_exceeded', { message: 'Used up.', retry_after: 5, data: { limit: 1 } });
  const error = await rejection(call);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ code: 'quota_exceeded', message: 'Used up.', retryable: false, retry_after: 5, data: { limit: 1 } });
});

const AWAY = { code: 'relay_unavailable', message: 'There is no connection: call connect() first.' };

test('a call before connect(), or after disconnect(), says at once what to do', async ({ client, connected }) => {
  expect(await rejection(client.sendMsgSync('a:b'))).toMatchObject(AWAY);
  await connected();
  client.disconnect();
  expect(await rejection(client.sendMsgSync('a:b'))).toMatchObject(AWAY);
});

test('calls made before the connection stands wait for it, and leave in order', async ({ relay, client }) => {
  void client.connect();
  const calls = [1, 2, 3, 4].map((n) => client.sendMsgSync('a:b', { n }));
  const guest = await relay.welcomes();
  for (const n of [1, 2, 3, 4]) {
    const call = await guest.receives('call');
    expect(call['data']).toEqual({ n });
    guest.results(call, n);
  }
  expect((await Promise.all(calls)).map(({ data }) => data as number)).toEqual([1, 2, 3, 4]);
});

test('a call that waited carries what is left of its time', async ({ relay, client }) => {
  void client.connect();
  const call = client.sendMsgSync('a:b', {}, 5_000);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const guest = await relay.welcomes();
  const frame = await guest.receives('call');
  expect(frame['timeout']).toBeLessThan(4_990);
  expect(frame['timeout']).toBeGreaterThan(0);
  guest.results(frame);
  await call;
});

test('a call without a connection ends at its deadline', async ({ client }) => {
  void client.connect();
  const start = performance.now();
  expect(await rejection(client.sendMsgSync('a:b', {}, 40))).toMatchObject({ code: 'deadline_exceeded', message: expect.stringContaining('No connection') });
  expect(performance.now() - start).toBeLessThan(1_000);
});

test('a call that nobody answers ends 250 ms after its deadline at the latest, and what comes later is dropped', async ({ client, connected, events }) => {
  const guest = await connected();
  const start = performance.now();
  const call = client.sendMsgSync('a:b', {}, 50);
  const frame = await guest.receives('call');
  expect(await rejection(call)).toMatchObject({ code: 'deadline_exceeded' });
  expect(performance.now() - start).toBeGreaterThanOrEqual(290);
  guest.results(frame);
  const next = client.sendMsgSync('a:b');
  guest.results(await guest.receives('call'), 'alive');
  expect(await next).toEqual({ data: 'alive' });
  expect(events.filter(([type]) => type === 'error')).toEqual([]);
});

test("the relay's own deadline_exceeded counts while it comes within the 250 ms", async ({ client, connected }) => {
  const guest = await connected();
  const call = client.sendMsgSync('a:b', {}, 20);
  const frame = await guest.receives('call');
  await new Promise((resolve) => setTimeout(resolve, 60));
  guest.errors(frame, 'deadline_exceeded', { message: 'Said by the relay.' });
  expect(await rejection(call)).toMatchObject({ message: 'Said by the relay.' });
});

test('a written call whose connection ends is connection_lost, and is not sent again', async ({ relay, client, connected }) => {
  const guest = await connected();
  const call = client.sendMsgSync('a:b');
  await guest.receives('call');
  guest.vanishes();
  expect(await rejection(call)).toMatchObject({ code: 'connection_lost', retryable: true });
  const again = await relay.welcomes();
  const next = client.sendMsgSync('c:d');
  const frame = await again.receives('call');
  expect(frame['cmd']).toBe('c:d');
  again.results(frame);
  await next;
});

test('a call made while reconnecting waits for the next connection', async ({ relay, client, connected }) => {
  (await connected()).vanishes();
  await until('reconnecting', () => client.state === 'reconnecting');
  const call = client.sendMsgSync('a:b');
  const guest = await relay.welcomes();
  guest.results(await guest.receives('call'), 'here');
  expect(await call).toEqual({ data: 'here' });
});

test('a call that was not written survives a failed handshake', async ({ relay, client }) => {
  void client.connect();
  const call = client.sendMsgSync('a:b');
  client.addEventListener('error', () => undefined);
  const first = await relay.meets();
  await first.receives('hello');
  first.vanishes();
  const guest = await relay.welcomes();
  expect(first.unread).toBe(0);
  guest.results(await guest.receives('call'), 'here');
  expect(await call).toEqual({ data: 'here' });
});

test('disconnect() ends all calls', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.sendMsgSync('a:b');
  await guest.receives('call');
  client.disconnect();
  expect(await rejection(call)).toMatchObject({ code: 'connection_lost' });
});

test('progress is reported in order, before the result; a throw in it harms nothing', async ({ client, connected, events }) => {
  const guest = await connected();
  const seen: unknown[] = [];
  const call = client.sendMsgSync('a:b', {}, { onProgress: (data) => { seen.push(data); throw new Error('mine'); } });
  const frame = await guest.receives('call');
  for (const data of [1, 2]) guest.sends({ type: 'progress', id: frame['id'], data });
  guest.results(frame, 3);
  seen.push((await call).data);
  expect(seen).toEqual([1, 2, 3]);
  expect(events.filter(([type]) => type === 'error')).toHaveLength(2);
});

test('an abort cancels the call at once, and tells the relay', async ({ client, connected }) => {
  const guest = await connected();
  const ends = new AbortController();
  const call = client.sendMsgSync('a:b', {}, { signal: ends.signal });
  const frame = await guest.receives('call');
  ends.abort();
  expect(await rejection(call)).toMatchObject({ code: 'cancelled' });
  expect(await guest.receives('cancel')).toEqual({ type: 'cancel', id: frame['id'] });
  expect(await rejection(client.sendMsgSync('a:b', {}, { signal: ends.signal }))).toMatchObject({ code: 'cancelled' });
  expect(guest.unread).toBe(0);
});

test.for([0, -1, NaN, 'soon' as unknown as number])('a timeout of %j is refused', async (timeout, { client }) => {
  expect(await rejection(client.sendMsgSync('a:b', {}, timeout))).toMatchObject({ code: 'invalid_arguments' });
});

test('a call takes no unknown option, such as the `to` of back ends', async ({ client, connected }) => {
  const guest = await connected();
  for (const make of [client.sendMsgSync.bind(client), client.call.bind(client), client.sendHttp.bind(client)])
    expect(await rejection(make('a:b', {}, { to: { connection: 'c' } } as never))).toMatchObject({ code: 'invalid_arguments', message: expect.stringMatching(/no option 'to'/) });
  expect(guest.unread).toBe(0);
});

test('an endless timeout does not overflow into none', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.sendMsgSync('a:b', {}, Infinity);
  guest.results(await guest.receives('call'), 'here');
  expect(await call).toEqual({ data: 'here' });
});

test('bad names and data reject, and nothing is sent', async ({ client, connected }) => {
  const guest = await connected();
  for (const cmd of ['', 'x'.repeat(129), 'a\u0000']) expect(await rejection(client.sendMsgSync(cmd))).toMatchObject({ code: 'invalid_arguments' });
  expect(await rejection(client.sendMsgSync('a:b', 5n))).toMatchObject({ code: 'invalid_arguments' });
  expect(guest.unread).toBe(0);
});

test('a frame above the limit is refused here, and the connection goes on', async ({ relay, client, connected }) => {
  relay.welcome = { limits: { frame: 1_000 } };
  const guest = await connected();
  expect(await rejection(client.sendMsgSync('a:b', 'ä'.repeat(500)))).toMatchObject({ code: 'payload_too_large', data: { limit: 1_000 } });
  const call = client.sendMsgSync('a:b', 'ä'.repeat(400));
  guest.results(await guest.receives('call'));
  await call;
});

test('calls that wait for a connection are bounded', async ({ client }) => {
  void client.connect();
  const waiting = Array.from({ length: 1_000 }, () => rejection(client.sendMsgSync('a:b', {}, 100)));
  expect(await rejection(client.sendMsgSync('a:b'))).toMatchObject({ code: 'relay_unavailable', retryable: true });
  for (const error of await Promise.all(waiting)) expect(error['code']).toBe('deadline_exceeded');
});

test('bytes that wait for a connection are bounded', async ({ client }) => {
  void client.connect();
  const megabyte = 'x'.repeat(1_000_000);
  const waiting = Array.from({ length: 16 }, () => rejection(client.sendMsgSync('a:b', megabyte, 300)));
  expect(await rejection(client.sendMsgSync('a:b', megabyte))).toMatchObject({ code: 'relay_unavailable' });
  await Promise.all(waiting);
});

test('many calls in flight each get their own answer', async ({ client, connected }) => {
  const guest = await connected();
  const calls = Array.from({ length: 2_000 }, (_, n) => client.sendMsgSync('a:b', n));
  for (const _ of calls) {
    const frame = await guest.receives('call');
    guest.results(frame, (frame['data'] as number) * 2);
  }
  expect((await Promise.all(calls)).every(({ data }, n) => data === n * 2)).toBe(true);
});

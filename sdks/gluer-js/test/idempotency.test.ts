import { expect } from 'vitest';
import { rejection, until } from '../../core/test/fake_relay.ts';
import { test } from './front_end.ts';

const KEYED = { idempotencyKey: 'order-7' };

test('an idempotency key goes with the call, and nothing without one', async ({ client, connected }) => {
  const guest = await connected();
  void client.sendMsgSync('shop:buy', { n: 1 }, KEYED).catch(() => undefined);
  void client.sendMsgSync('shop:buy', { n: 2 }).catch(() => undefined);
  expect(await guest.receives('call')).toMatchObject({ cmd: 'shop:buy', data: { n: 1 }, idempotency_key: 'order-7' });
  expect(await guest.receives('call')).not.toHaveProperty('idempotency_key');
});

test('a written call with a key is sent again after a reconnect: same key and data, the time left', async ({ relay, client, connected }) => {
  const guest = await connected();
  const call = client.sendMsgSync('shop:buy', { n: 1 }, { ...KEYED, timeout: 5_000 });
  const plain = client.sendMsgSync('shop:buy', { n: 2 });
  const first = await guest.receives('call');
  await guest.receives('call');
  await new Promise((resolve) => setTimeout(resolve, 20));
  guest.vanishes();
  expect(await rejection(plain)).toMatchObject({ code: 'connection_lost' });
  const again = await relay.welcomes();
  const second = await again.receives('call');
  expect(second).toMatchObject({ cmd: 'shop:buy', data: { n: 1 }, idempotency_key: 'order-7' });
  expect(second['timeout']).toBeLessThan(first['timeout'] as number);
  again.results(second, 'bought');
  expect(await call).toEqual({ data: 'bought' });
  expect(again.unread).toBe(0);
});

test('the data that is sent again is that of the call, whatever became of the object since', async ({ relay, client, connected }) => {
  const guest = await connected();
  const data = { n: 1 };
  const call = client.sendMsgSync('shop:buy', data, KEYED);
  await guest.receives('call');
  data.n = 2;
  guest.vanishes();
  const again = await relay.welcomes();
  const second = await again.receives('call');
  expect(second['data']).toEqual({ n: 1 });
  again.results(second);
  await call;
});

test('calls that are sent again leave before new ones, in their order', async ({ relay, client, connected }) => {
  const guest = await connected();
  const calls = [1, 2].map((n) => client.sendMsgSync('a:b', n, { idempotencyKey: `key-${String(n)}` }));
  for (const _ of calls) await guest.receives('call');
  guest.vanishes();
  await until('reconnecting', () => client.state === 'reconnecting');
  calls.push(client.sendMsgSync('a:b', 3));
  const again = await relay.welcomes();
  for (const n of [1, 2, 3]) {
    const frame = await again.receives('call');
    expect(frame['data']).toBe(n);
    again.results(frame, n);
  }
  expect((await Promise.all(calls)).map(({ data }) => data as number)).toEqual([1, 2, 3]);
});

test('a call with a key ends at its deadline when no connection comes back', async ({ relay, client, connected }) => {
  client.addEventListener('error', () => undefined);
  const guest = await connected();
  const start = performance.now();
  const call = client.sendMsgSync('shop:buy', {}, { ...KEYED, timeout: 200 });
  await guest.receives('call');
  await relay.stop();
  expect(await rejection(call)).toMatchObject({ code: 'deadline_exceeded', message: 'No answer came before the deadline.' });
  expect(performance.now() - start).toBeGreaterThanOrEqual(198);
});

test('a call with a key that was written once is connection_lost when no connection will come', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.sendMsgSync('shop:buy', {}, KEYED);
  await guest.receives('call');
  guest.vanishes();
  await until('reconnecting', () => client.state === 'reconnecting');
  client.disconnect();
  expect(await rejection(call)).toMatchObject({ code: 'connection_lost' });
});

test('a call with a key that is cancelled without a connection is not sent again', async ({ relay, client, connected }) => {
  const guest = await connected();
  const ends = new AbortController();
  const call = client.sendMsgSync('shop:buy', {}, { ...KEYED, signal: ends.signal });
  await guest.receives('call');
  guest.vanishes();
  await until('reconnecting', () => client.state === 'reconnecting');
  ends.abort();
  expect(await rejection(call)).toMatchObject({ code: 'cancelled' });
  const again = await relay.welcomes();
  client.sendMsg('a:b');
  await again.receives('send');
});

test('what calls with keys keep for another time is bounded, and others go on', async ({ client, connected }) => {
  const guest = await connected();
  const large = 'x'.repeat(1_000_000);
  const calls = Array.from({ length: 16 }, (_, n) => client.sendMsgSync('a:b', large, { idempotencyKey: `key-${String(n)}` }));
  const frames = [];
  for (const _ of calls) frames.push(await guest.receives('call'));
  expect(await rejection(client.sendMsgSync('a:b', large, KEYED))).toMatchObject({ code: 'relay_unavailable' });
  const plain = client.sendMsgSync('a:b', large);
  guest.results(await guest.receives('call'));
  await plain;
  for (const frame of frames) guest.results(frame);
  await Promise.all(calls);
  const next = client.sendMsgSync('a:b', large, KEYED);
  guest.results(await guest.receives('call'));
  await next;
});

test.for(['', 'x'.repeat(257), 'two words', 'schlüssel', 5 as unknown as string])('%j is no idempotency key', async (idempotencyKey, { client }) => {
  expect(await rejection(client.sendMsgSync('a:b', {}, { idempotencyKey }))).toMatchObject({ code: 'invalid_arguments' });
  expect(await rejection(client.sendHttp('a:b', {}, { idempotencyKey }))).toMatchObject({ code: 'invalid_arguments' });
});

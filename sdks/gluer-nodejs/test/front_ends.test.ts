// A back end calls front ends, and makes calls with all options.
import { expect } from 'vitest';
import { rejection } from '../../core/test/fake_relay.ts';
import { test } from './back_end.ts';

test('a call goes to a session or a connection', async ({ server, connected }) => {
  const guest = await connected();
  const asked = server.call('page:ask', { question: 'Sure?' }, { to: { session: 'a-secret-session-id' }, timeout: 5_000 });
  const frame = await guest.receives('call');
  expect(frame).toMatchObject({ cmd: 'page:ask', data: { question: 'Sure?' }, to: { session: 'a-secret-session-id' } });
  expect(frame['timeout']).toBeLessThanOrEqual(5_000);
  guest.results(frame, 'Yes.');
  expect(await asked).toEqual({ data: 'Yes.' });
  const gone = server.call('page:ask', {}, { to: { connection: 'c7' } });
  const second = await guest.receives('call');
  expect(second['to']).toEqual({ connection: 'c7' });
  guest.errors(second, 'no_such_peer');
  expect(await rejection(gone)).toMatchObject({ code: 'no_such_peer', retryable: false });
});

test('a send goes to a session or a connection', async ({ server, connected }) => {
  const guest = await connected();
  server.send('page:show', { text: 'hi' }, { to: { connection: 'c7' } });
  server.send('log:write', 1);
  expect(await guest.receives()).toEqual({ type: 'send', cmd: 'page:show', data: { text: 'hi' }, to: { connection: 'c7' } });
  expect(await guest.receives()).toEqual({ type: 'send', cmd: 'log:write', data: 1 });
});

test.for([{}, { session: 's', connection: 'c' }, { user: 'ada' }, { session: '' }, { connection: 5 }, 'c7', null, ['c7']])('%j names no front end', async (to, { server }) => {
  expect(await rejection(server.call('page:ask', {}, { to: to as never }))).toMatchObject({ code: 'invalid_arguments' });
  expect(() => server.send('page:ask', {}, { to: to as never })).toThrow(/session|connection/);
});

test('progress of a front end can be iterated over', async ({ server, connected }) => {
  const guest = await connected();
  const call = server.call('page:ask', {}, { to: { connection: 'c7' } });
  const frame = await guest.receives('call');
  for (const data of [1, 2]) guest.sends({ type: 'progress', id: frame['id'], data });
  guest.results(frame, 'done');
  const seen: unknown[] = [];
  for await (const report of call) seen.push(report);
  expect(seen).toEqual([1, 2]);
  expect(await call).toEqual({ data: 'done' });
});

test('a call takes an idempotency key, and is sent again with it after a reconnect', async ({ relay, server, connected }) => {
  const guest = await connected();
  const call = server.call('shop:buy', { n: 1 }, { idempotencyKey: 'order-7' });
  expect(await guest.receives('call')).toMatchObject({ idempotency_key: 'order-7' });
  guest.vanishes();
  const again = await relay.welcomes();
  const frame = await again.receives('call');
  expect(frame).toMatchObject({ cmd: 'shop:buy', data: { n: 1 }, idempotency_key: 'order-7' });
  again.results(frame, 'bought');
  expect(await call).toEqual({ data: 'bought' });
});

test('a call to a front end takes no idempotency key, so that it never runs twice', async ({ server }) => {
  const error = await rejection(server.call('page:ask', {}, { to: { connection: 'c7' }, idempotencyKey: 'k' }));
  expect(error).toMatchObject({ code: 'invalid_arguments', message: expect.stringContaining('idempotencyKey') });
});

test('a signal cancels a call, and the front end is told', async ({ server, connected }) => {
  const guest = await connected();
  const ends = new AbortController();
  const call = server.call('page:ask', {}, { to: { connection: 'c7' }, signal: ends.signal });
  const frame = await guest.receives('call');
  ends.abort();
  expect(await rejection(call)).toMatchObject({ code: 'cancelled' });
  expect(await guest.receives('cancel')).toEqual({ type: 'cancel', id: frame['id'] });
});

import { expect } from 'vitest';
import { PUBLIC_KEY, rejection, type HttpExchange } from '../../core/test/fake_relay.ts';
import { test } from './front_end.ts';

test('sendHttp posts the call with key and session, and resolves as sendMsgSync does', async ({ relay, client }) => {
  const seen: HttpExchange[] = [];
  relay.http = (exchange) => (seen.push(exchange), { status: 200, body: { data: { result: 8 }, outcome: 'added' } });
  client.setup({ sessionId: 'my-own-session-id' });
  client.setContextItem('user', 'ada');
  expect(await client.sendHttp('calculator:add', { a: 5 }, 2_000)).toEqual({ data: { result: 8 }, outcome: 'added' });
  expect(seen[0]).toMatchObject({
    path: '/v1/call/calculator%3Aadd',
    headers: { 'authorization': `Bearer ${PUBLIC_KEY}`, 'gluer-session': 'my-own-session-id', 'gluer-timeout': '2000', 'content-type': 'application/json' },
  });
  expect(JSON.parse(seen[0]!.body)).toEqual({ user: 'ada', a: 5 });
});

test('sendHttp has the session of the socket', async ({ relay, client, connected }) => {
  const sessions: unknown[] = [];
  relay.http = ({ headers }) => (sessions.push(headers['gluer-session']), { status: 200, body: { data: null } });
  const { hello } = await connected();
  await client.sendHttp('a:b');
  expect(sessions).toEqual([hello['session']]);
});

test('a problem is the same error as over the socket', async ({ relay, client }) => {
  relay.http = () => ({ status: 429, body: { type: 'about:blank', title: 'Quota', status: 429, code: 'quota_exceeded', detail: 'Used up.', retryable: false, retry_after: 60_000, data: { limit: 1 } } });
  expect(await rejection(client.sendHttp('a:b'))).toMatchObject({ name: 'GluerError', code: 'quota_exceeded', message: 'Used up.', retryable: false, retry_after: 60_000, data: { limit: 1 } });
});

test('Retry-After stands in for a missing retry_after', async ({ relay, client }) => {
  relay.http = () => ({ status: 429, headers: { 'Retry-After': '3' }, body: { code: 'rate_limited', message: 'Slowly.' } });
  expect(await rejection(client.sendHttp('a:b'))).toMatchObject({ code: 'rate_limited', message: 'Slowly.', retryable: true, retry_after: 3_000 });
});

test.for([[502, '<html>Bad gateway</html>'], [404, '{}'], [200, 'Welcome to nginx!'], [200, '[]']] as const)('an answer %i %j of no relay is relay_unavailable', async ([status, body], { relay, client }) => {
  relay.http = () => ({ status, body });
  expect(await rejection(client.sendHttp('a:b'))).toMatchObject({ code: 'relay_unavailable', message: expect.stringContaining(String(status)) });
});

test('a relay that is not there is connection_lost', async ({ relay, client }) => {
  await relay.stop();
  expect(await rejection(client.sendHttp('a:b'))).toMatchObject({ code: 'connection_lost', retryable: true });
});

test('a request that nobody answers ends 250 ms after its deadline', async ({ relay, client }) => {
  relay.http = () => ({ status: 0, body: '' });
  const start = performance.now();
  expect(await rejection(client.sendHttp('a:b', {}, 50))).toMatchObject({ code: 'deadline_exceeded' });
  expect(performance.now() - start).toBeGreaterThanOrEqual(290);
});

test('an abort ends the request', async ({ relay, client }) => {
  relay.http = () => ({ status: 0, body: '' });
  const ends = new AbortController();
  const call = client.sendHttp('a:b', {}, { signal: ends.signal });
  ends.abort();
  expect(await rejection(call)).toMatchObject({ code: 'cancelled' });
});

test('mistakes reject before anything is sent', async ({ client }) => {
  for (const call of [client.sendHttp(''), client.sendHttp('a:b', 5n), client.sendHttp('a:b', {}, -1)])
    expect(await rejection(call)).toMatchObject({ code: 'invalid_arguments' });
});

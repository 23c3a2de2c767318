import { expect } from 'vitest';
import { PUBLIC_KEY, rejection, type HttpExchange } from '../../core/test/fake_relay.ts';
import { framesOf } from '../src/event_stream.ts';
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
  expect(await rejection(client.sendHttp('a:b'))).toMatchObject({ code: 'connection_lost', message: expect.stringContaining('127.0.0.1'), retryable: true });
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

/** A stream of events as the relay writes it. */
const stream = (...frames: object[]): { status: number; headers: Record<string, string>; body: string } => ({
  status: 200,
  headers: { 'Content-Type': 'text/event-stream' },
  body: `: alive\n\n${frames.map((frame) => `event: x\ndata: ${JSON.stringify(frame)}\n\n`).join('')}`,
});

test('an idempotency key is a header', async ({ relay, client }) => {
  const keys: unknown[] = [];
  relay.http = ({ headers }) => (keys.push(headers['idempotency-key'], headers.accept), { status: 200, body: { data: 1 } });
  await client.sendHttp('a:b', {}, { idempotencyKey: 'order-7' });
  await client.sendHttp('a:b');
  expect(keys).toEqual(['order-7', '*/*', undefined, '*/*']);
});

test('with onProgress the answer is a stream: progress, then the result', async ({ relay, client }) => {
  const seen: unknown[] = [];
  relay.http = ({ headers }) => (seen.push(headers.accept), stream({ type: 'progress', id: 'c', data: 50 }, { type: 'progress', id: 'c', data: 'ünï' }, { type: 'result', id: 'c', data: 'done', outcome: 'converted' }));
  const reply = await client.sendHttp('a:b', {}, { onProgress: (data) => seen.push(data) });
  expect(seen).toEqual(['text/event-stream', 50, 'ünï']);
  expect(reply).toEqual({ data: 'done', outcome: 'converted' });
});

test("a stream's error is the same error as over the socket", async ({ relay, client }) => {
  relay.http = () => stream({ type: 'error', id: 'c', code: 'callee_lost', message: 'Gone.', retryable: true });
  expect(await rejection(client.sendHttp('a:b', {}, { onProgress: () => undefined }))).toMatchObject({ code: 'callee_lost', message: 'Gone.', retryable: true });
});

test('a refusal before the stream is a problem', async ({ relay, client }) => {
  relay.http = () => ({ status: 404, body: { code: 'no_such_function', message: 'Nobody.' } });
  expect(await rejection(client.sendHttp('a:b', {}, { onProgress: () => undefined }))).toMatchObject({ code: 'no_such_function' });
});

test.for([[], [{ type: 'bye', code: 'relay_unavailable', message: 'Bye.', reconnect: true }]])('a stream that ends without the outcome is connection_lost: %j', async (frames, { relay, client }) => {
  relay.http = () => stream({ type: 'progress', id: 'c', data: 1 }, ...frames);
  expect(await rejection(client.sendHttp('a:b', {}, { onProgress: () => undefined }))).toMatchObject({ code: 'connection_lost', retryable: true });
});

test('a stream is read in whatever parts it comes', async () => {
  const bytes = new TextEncoder().encode('event: progress\r\ndata:{"type":"progress","data":"ü"}\r\n\r\n: alive\n\ndata: nonsense\n\ndata: {"type":"result","data":1}\n\n');
  for (const size of [1, 3, 1_000]) {
    const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.slice(n * size, (n + 1) * size));
    const body = new ReadableStream<Uint8Array>({ start(into) { for (const part of parts) into.enqueue(part); into.close(); } });
    const frames: unknown[] = [];
    for await (const frame of framesOf(body)) frames.push(frame);
    expect(frames).toEqual([{ type: 'progress', data: 'ü' }, { type: 'result', data: 1 }]);
  }
});

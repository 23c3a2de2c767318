// Code of the page that fails by its promise: it is told, and the page goes on.
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { until } from '../../core/test/fake_relay.ts';
import { test } from './front_end.ts';

const unhandled = vi.fn();
beforeEach(() => { unhandled.mockReset(); process.on('unhandledRejection', unhandled); });
afterEach(() => {
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

const fail = (): unknown => Promise.reject(new Error('mine'));

test('a listener, a handler of a channel and onProgress that reject are error events', async ({ client, connected, events }) => {
  client.addEventListener('connection', fail);
  client.subscribe('news', fail);
  const guest = await connected();
  guest.results(await guest.receives('subscribe'));
  guest.sends({ type: 'message', channel: 'news', data: 1 });
  const call = client.sendMsgSync('a:b', {}, { onProgress: fail });
  const frame = await guest.receives('call');
  guest.sends({ type: 'progress', id: frame['id'], data: 1 });
  guest.results(frame, 'done');
  expect(await call).toEqual({ data: 'done' });
  await until('the errors', () => events.filter(([type]) => type === 'error').length === 3);
  expect(events.filter(([type]) => type === 'error').map(([, { message }]) => message as string)).toEqual([
    "A listener of 'connection' failed: mine", "A handler of the channel 'news' failed: mine", 'onProgress failed: mine',
  ]);
});

test('an onProgress of sendHttp that rejects is an error event, and the answer comes', async ({ relay, client, events }) => {
  const frames = [{ type: 'progress', id: 'c', data: 1 }, { type: 'result', id: 'c', data: 'done' }];
  relay.http = () => ({ status: 200, headers: { 'Content-Type': 'text/event-stream' }, body: frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('') });
  expect(await client.sendHttp('a:b', {}, { onProgress: fail })).toEqual({ data: 'done' });
  await until('the error', () => events.length > 0);
  expect(events).toMatchObject([['error', { code: 'app_error', message: 'onProgress failed: mine' }]]);
});

test("a handler's answer that cannot be sent is explained here only", async ({ client, connected, events }) => {
  client.on('page:ask', () => ({ when: new Date(NaN) }));
  const guest = await connected();
  guest.sends({ type: 'call', id: 'k1', cmd: 'page:ask', data: {}, timeout: 1_000, header: {} });
  expect(await guest.receives()).toEqual({ type: 'error', id: 'k1', code: 'app_error', message: 'The function failed: why is told where it runs.', retryable: false });
  expect(events.at(-1)).toMatchObject(['error', { message: 'The data cannot be sent as JSON: data.when is an invalid Date.', about: 'page:ask' }]);
});

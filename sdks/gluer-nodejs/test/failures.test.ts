// Code of the program that fails, now or by its promise: it is told, and the program goes on.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { until, type Fields } from '../../core/test/fake_relay.ts';
import { test } from './back_end.ts';

const unhandled = vi.fn();
beforeEach(() => { unhandled.mockReset(); process.on('unhandledRejection', unhandled); });
afterEach(() => { process.off('unhandledRejection', unhandled); });

const failures: [string, () => unknown][] = [
  ['throws', () => { throw new Error('mine'); }],
  ['rejects', () => Promise.reject(new Error('mine'))],
];

/** The one `error` event, when it has come; nothing was left unhandled. */
async function told(events: [string, Fields][]): Promise<Fields> {
  await until('the error', () => events.some(([type]) => type === 'error'));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(unhandled).not.toHaveBeenCalled();
  expect(events.filter(([type]) => type === 'error')).toHaveLength(1);
  return events.find(([type]) => type === 'error')![1];
}

test.for(failures)('a listener that %s is the error event', async ([, fail], { server, connected, events }) => {
  server.addEventListener('connection', fail);
  await connected();
  expect(await told(events)).toMatchObject({ code: 'app_error', message: "A listener of 'connection' failed: mine", error: expect.any(Error) });
});

test.for(failures)("a channel's handler that %s is the error event, and the next message comes", async ([, fail], { server, connected, events }) => {
  const heard: unknown[] = [];
  server.subscribe('news', (data) => { heard.push(data); return fail(); });
  const guest = await connected();
  guest.sends({ type: 'message', channel: 'news', data: 1 });
  expect(await told(events)).toMatchObject({ code: 'app_error', message: "A handler of the channel 'news' failed: mine" });
  guest.sends({ type: 'message', channel: 'news', data: 2 });
  await until('the next message', () => heard.length === 2);
});

test.for(failures)('an onProgress that %s is the error event, and the answer comes', async ([, fail], { server, connected, events }) => {
  const guest = await connected();
  const call = server.call('a:b', {}, { onProgress: fail });
  const { id } = await guest.receives('call');
  guest.sends({ type: 'progress', id, data: 1 });
  guest.results({ id }, 'done');
  expect(await call).toEqual({ data: 'done' });
  expect(await told(events)).toMatchObject({ code: 'app_error', message: 'onProgress failed: mine' });
});

test.for(failures)("a listener of 'error' that %s is printed, and others hear", async ([, fail], { server, connected, events }) => {
  const shown = vi.spyOn(console, 'error').mockReturnValue();
  server.addEventListener('error', fail);
  const guest = await connected();
  guest.sends({ type: 'notice', code: 'forbidden', message: 'No.' });
  expect(await told(events)).toMatchObject({ code: 'forbidden' });
  expect(shown.mock.calls).toEqual([["gluer: app_error: A listener of 'error' failed: mine", expect.any(Error)]]);
});

test.for(failures)('an interceptor that %s is the error event', async ([, fail], { server, connected, called, events }) => {
  server.register_plugin('a', 'b', () => 1);
  server.register_interceptor('a', fail);
  expect(await called(await connected(), 'a:b')).toMatchObject({ code: 'app_error', message: 'mine' });
  expect(await told(events)).toMatchObject({ code: 'app_error', message: 'mine', about: 'a:b' });
});

test.for([
  ['whose fields cannot be read', new Proxy(new Error(), { get() { throw new Error('no'); } }) as unknown],
  ['with fields of any kind', Object.assign(new Error(), { code: 'rejected', message: { a: 1n }, retryable: 1n, retry_after: 1n })],
] as const)('a function that throws an error %s is answered', async ([, thrown], { server, connected, called, events }) => {
  server.register_plugin('a', 'b', () => { throw thrown; });
  expect(await called(await connected(), 'a:b')).toMatchObject({ type: 'error', message: expect.any(String) });
  expect(unhandled).not.toHaveBeenCalled();
  expect(events.filter(([type]) => type === 'disconnect')).toEqual([]);
});

test('a plugin file that fails is the error event, even when nobody waits for the promise', async ({ server, events }) => {
  const folder = mkdtempSync(join(tmpdir(), 'plugins-'));
  writeFileSync(join(folder, 'bad_plugin.mjs'), 'throw new Error("mine");');
  void server.register_directory(folder);
  expect(await told(events)).toMatchObject({ code: 'invalid_arguments', message: expect.stringMatching(/bad_plugin.mjs failed: mine/), about: { directory: folder } });
  rmSync(folder, { recursive: true });
});

test('errors that nobody listens to are not printed without end', async ({ server, connected, called }) => {
  const shown = vi.spyOn(console, 'error').mockReturnValue();
  server.register_plugin('a', 'b', () => 1);
  server.register_interceptor('a', () => { throw new Error('mine'); });
  const guest = await connected();
  for (let n = 0; n < 50; n++) await called(guest, 'a:b');
  expect(shown).toHaveBeenCalledTimes(21);
  expect(shown.mock.lastCall).toEqual([expect.stringMatching(/listen to 'error'/)]);
});

import { expect } from 'vitest';
import { until } from '../../core/test/fake_relay.ts';
import { test } from './back_end.ts';

test('true lets a call through; the interceptor sees data and header', async ({ server, connected, called }) => {
  const seen: unknown[] = [];
  server.register_plugin('a', 'b', (data) => ({ got: data as unknown }));
  server.register_interceptor('a', async (data, header) => { seen.push(data, header); return Promise.resolve(true); });
  expect(await called(await connected(), 'a:b', { x: 1 }, { session: 's' })).toMatchObject({ type: 'result', data: { got: { x: 1 } } });
  expect(seen).toEqual([{ x: 1 }, { session: 's' }]);
});

test('false is rejected, and the function does not run', async ({ server, connected, called, events }) => {
  let ran = false;
  server.register_plugin('a', 'b', () => { ran = true; });
  server.register_interceptor('a', () => false);
  expect(await called(await connected(), 'a:b')).toMatchObject({ type: 'error', code: 'rejected', retryable: false });
  expect(ran).toBe(false);
  expect(events.filter(([type]) => type === 'error')).toEqual([]);
});

test.for<[string, unknown, unknown]>([
  ['a list', [1, 2], [1, 2]],
  ['a string', 'x', 'x'],
  ['0', 0, 0],
  ['null', null, null],
  ['true, wrapped', { data: true }, true],
  ['false, wrapped', { data: false }, false],
  ['undefined, wrapped', { data: undefined }, undefined],
  ['an object whose one field is data', { data: { admin: true } }, { data: { admin: true } }],
])('%s takes the place of the data', async ([, verdict, expected], { server, connected, called }) => {
  let got: unknown;
  server.register_plugin('a', 'b', (data: unknown) => { got = data; });
  server.register_interceptor('a', () => verdict);
  expect(await called(await connected(), 'a:b', { x: 1 })).toMatchObject({ type: 'result' });
  expect(got).toEqual(expected);
});

test('a plain object takes the place of the data', async ({ server, connected, called }) => {
  server.register_plugin('a', 'b', (data) => data as unknown);
  server.register_interceptor('a', (data: object) => ({ ...data, user: 'ada' }));
  expect(await called(await connected(), 'a:b', { x: 1 })).toMatchObject({ data: { x: 1, user: 'ada' } });
});

test("a throw becomes the caller's error", async ({ server, connected, called }) => {
  const guest = await connected();
  server.addEventListener('error', () => undefined);
  server.register_plugin('a', 'b', () => 1);
  server.register_interceptor('a', () => { throw Object.assign(new Error('A name is missing.'), { code: 'invalid_arguments' }); });
  expect(await called(guest, 'a:b')).toMatchObject({ code: 'invalid_arguments', message: 'A name is missing.' });
  server.register_interceptor('a', () => Promise.reject(new Error('Broken.')));
  expect(await called(guest, 'a:b')).toMatchObject({ code: 'app_error', message: 'Broken.' });
});

test('anything else is refused as a mistake that its author sees', async ({ server, connected, called, events }) => {
  const guest = await connected();
  let ran = false;
  let verdict: unknown;
  server.register_plugin('a', 'b', () => { ran = true; });
  server.register_interceptor('a', () => verdict);
  for (verdict of [undefined, new Date(), new Map(), () => true])
    expect(await called(guest, 'a:b')).toMatchObject({ code: 'app_error', message: 'The function failed: why is told where it runs.' });
  expect(ran).toBe(false);
  const errors = events.filter(([type]) => type === 'error');
  expect(errors).toHaveLength(4);
  for (const [, { message }] of errors) expect(message).toMatch(/interceptor of 'a' returned .*must return true, false or data/);
});

test('an interceptor stands before the functions of its own plugin only, and before sends too', async ({ server, connected, called }) => {
  const seen: string[] = [];
  server.register_plugin('a', 'b', () => void seen.push('a:b'));
  server.register_plugin('c', 'd', () => void seen.push('c:d'));
  server.register_interceptor('a', () => false);
  server.addEventListener('error', () => undefined);
  const guest = await connected();
  guest.sends({ type: 'send', cmd: 'a:b', data: {}, header: {} });
  await called(guest, 'c:d');
  expect(seen).toEqual(['c:d']);
});

test('get_interceptor shows it, clear_interceptor takes it away', async ({ server, connected, called }) => {
  const [first, second] = [(): boolean => false, (): boolean => false];
  server.register_plugin('a', 'b', () => 'free');
  expect(server.get_interceptor('a')).toBeUndefined();
  server.register_interceptor('a', first);
  server.register_interceptor('a', second);
  expect(server.get_interceptor('a')).toBe(second);
  expect(server.clear_interceptor('a')).toBe(true);
  expect(server.clear_interceptor('a')).toBe(false);
  expect(await called(await connected(), 'a:b')).toMatchObject({ data: 'free' });
});

test('a call that is cancelled in the interceptor does not reach the function', async ({ server, connected }) => {
  let ran = false;
  let allow: (verdict: boolean) => void = () => undefined;
  let asked = false;
  server.register_plugin('a', 'b', () => { ran = true; });
  server.register_interceptor('a', () => new Promise((resolve) => { asked = true; allow = resolve; }));
  const guest = await connected();
  await guest.receives('register');
  guest.sends({ type: 'call', id: 'k1', cmd: 'a:b', data: {}, timeout: 1, header: {} });
  await until('the question', () => asked);
  guest.sends({ type: 'cancel', id: 'k1' });
  guest.sends({ type: 'ping' });
  await guest.receives('pong');
  allow(true);
  guest.sends({ type: 'ping' });
  await guest.receives('pong');
  expect(ran).toBe(false);
});

test('an interceptor has to be a function', ({ server }) => {
  expect(() => server.register_interceptor('a', true as never)).toThrow(/needs a function/);
  expect(() => server.register_interceptor('a:b', () => true)).toThrow(/colon/);
});

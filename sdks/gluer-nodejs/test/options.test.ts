// Wrong options are said at once, by name.
import { expect, test as plain } from 'vitest';
import { PRIVATE_KEY, rejection } from '../../core/test/fake_relay.ts';
import { createClient, GluerError } from '../src/index.ts';
import { test } from './back_end.ts';

plain.for<[RegExp, unknown]>([
  [/connect\(\) takes an object of these options: url, password, name, drainOnSignal/, null],
  [/connect\(\) has no option 'adress'/, { adress: 'ws://h' }],
  [/option password of connect\(\) .* string/, { password: 5 }],
  [/option drainOnSignal of connect\(\) .* boolean/, { drainOnSignal: 'yes' }],
  [/relay's URL/, { url: 5 }],
  [/server name/, { name: '' }],
])('connect(): %s', ([sentence, options]) => {
  const connect = (): unknown => createClient().connect(PRIVATE_KEY, options as never);
  expect(connect).toThrow(GluerError);
  expect(connect).toThrow(sentence);
});

plain('a listener needs an event that there is, and a function', () => {
  expect(() => createClient().addEventListener('closed' as never, () => 1)).toThrow(/one of connection, disconnect, error/);
  expect(() => createClient().addEventListener('error', undefined as never)).toThrow(GluerError);
});

test.for<[RegExp, unknown]>([
  [/no option 'timout', but these: timeout, signal, onProgress, idempotencyKey/, { timout: 5 }],
  [/option onProgress .* function/, { onProgress: 5 }],
  [/option signal .* AbortSignal/, { signal: {} }],
  [/timeout is a number/, null],
  [/timeout is a number/, { timeout: '5' }],
  [/exactly one/, { to: { session: 's'.repeat(16), connection: 'c' } }],
  [/exactly one/, { to: {} }],
  [/exactly one/, { to: null }],
  [/exactly one/, { to: 'c' }],
  [/exactly one/, { to: { session: undefined } }],
])('a call: %s, and nothing leaves', async ([sentence, options], { server, connected }) => {
  const guest = await connected();
  expect(await rejection(server.call('a:b', {}, options as never))).toMatchObject({ code: 'invalid_arguments', message: expect.stringMatching(sentence) });
  if (options) expect(() => { server.send('a:b', {}, options); }).toThrow(GluerError);
  server.send('c:d', {}, { to: { connection: 'c', session: undefined } });
  expect(await guest.receives()).toMatchObject({ type: 'send', cmd: 'c:d', to: { connection: 'c' } });
});

test('disconnect() with a wrong option rejects, and stays', async ({ server, connected }) => {
  await connected();
  expect(await rejection(server.disconnect({ drain: 'no' } as never))).toMatchObject({ code: 'invalid_arguments', message: expect.stringMatching(/option drain of disconnect\(\)/) });
  expect(await rejection(server.disconnect({ now: true } as never))).toMatchObject({ message: expect.stringMatching(/no option 'now'/) });
  expect(server.state).toBe('connected');
});

test('a folder that is not there is a sentence with its name', async ({ server }) => {
  server.addEventListener('error', () => undefined);
  expect(await rejection(server.register_directory('/no/where'))).toMatchObject({ code: 'invalid_arguments', message: expect.stringMatching(/\/no\/where cannot be read/) });
});

import { expect } from 'vitest';
import type { FunctionOptions } from '../src/function_options.ts';
import { test } from './back_end.ts';

const OPTIONS: FunctionOptions = { idempotent: true, policy: 'round_robin', concurrency: 4, description: 'Adds two numbers.' };

test("a function's options go with its name, and again after a reconnect", async ({ relay, server, connected }) => {
  const guest = await connected();
  server.register_plugin('calculator', 'add', () => 1, OPTIONS);
  server.register_plugin('calculator', 'multiply', () => 2, { idempotent: false, policy: undefined });
  const functions = [{ name: 'calculator:add', ...OPTIONS }, { name: 'calculator:multiply', idempotent: false }];
  expect((await guest.receives('register'))['functions']).toEqual(functions);
  guest.vanishes();
  expect((await (await relay.welcomes()).receives('register'))['functions']).toEqual(functions);
});

test('other options for the same name are told to the relay, the same ones are not', async ({ server, connected }) => {
  const guest = await connected();
  server.register_plugin('a', 'b', () => 1, { concurrency: 1 });
  await guest.receives('register');
  server.register_plugin('a', 'b', () => 2, { concurrency: 1 });
  server.register_plugin('c', 'd', () => 2);
  expect((await guest.receives('register'))['functions']).toEqual([{ name: 'c:d' }]);
  server.register_plugin('a', 'b', () => 3, { concurrency: 2 });
  expect((await guest.receives('register'))['functions']).toEqual([{ name: 'a:b', concurrency: 2 }]);
  server.register_plugin('a', 'b', () => 4);
  expect((await guest.receives('register'))['functions']).toEqual([{ name: 'a:b' }]);
});

test("an object's options are by method name", async ({ server, connected }) => {
  const guest = await connected();
  server.register_object('calculator', { add: () => 1, multiply: () => 2 }, { add: { idempotent: true } });
  expect((await guest.receives('register'))['functions']).toEqual([{ name: 'calculator:add', idempotent: true }, { name: 'calculator:multiply' }]);
});

test.for<[unknown, RegExp]>([
  [{ idempotent: 'yes' }, /option idempotent of 'a:b'.*true or false/],
  [{ policy: 'fastest' }, /option policy.*'least_in_flight' or 'round_robin' or 'random' or 'first'/],
  [{ concurrency: 0 }, /option concurrency/],
  [{ concurrency: 1.5 }, /option concurrency/],
  [{ concurrency: Infinity }, /option concurrency/],
  [{ description: 'x'.repeat(1_025) }, /description is a string of 1 to 1024/],
  [{ description: 5 }, /description/],
  [{ concurency: 1 }, /option concurency/],
  [{ toString: 1 }, /option toString/],
  ['idempotent', /options of 'a:b' are/],
  [null, /options of 'a:b' are/],
])('%j are no options, and nothing is registered', async ([options, message], { server, connected }) => {
  expect(() => server.register_plugin('a', 'b', () => 1, options as never)).toThrow(message);
  server.register_plugin('other', 'one', () => 1);
  expect((await (await connected()).receives('register'))['functions']).toEqual([{ name: 'other:one' }]);
});

test('options for what is no function are a mistake, and nothing is registered', async ({ server, connected }) => {
  const object = { add: () => 1, multiply: () => 2 };
  expect(() => server.register_object('a', object, { divide: {} })).toThrow(/'divide', which is no function/);
  expect(() => server.register_object('a', object, { multiply: { policy: 'no' as never } })).toThrow(/option policy of 'multiply'/);
  expect(() => server.register_object('a', object, 'all' as never)).toThrow(/function name: options/);
  server.register_plugin('other', 'one', () => 1);
  expect((await (await connected()).receives('register'))['functions']).toEqual([{ name: 'other:one' }]);
});

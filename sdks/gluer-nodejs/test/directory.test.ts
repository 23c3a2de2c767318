import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { rejection } from '../../core/test/fake_relay.ts';
import { test as base } from './back_end.ts';

const test = base.extend<{ folder: (files: Record<string, string>) => Promise<string> }>({
  folder: async ({}, use) => {
    const made: string[] = [];
    await use(async (files) => {
      const folder = await mkdtemp(join(tmpdir(), 'plugins-'));
      made.push(folder);
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
      return folder;
    });
    for (const folder of made) await rm(folder, { recursive: true });
  },
});

test('all plugin files are registered, by their own plugin names', async ({ server, connected, called, folder }) => {
  const dir = await folder({
    'calculator_plugin.mjs': "export const plugin = 'calculator'; export function add({ a, b }) { return a + b; } export const version = 1;",
    'users_plugin.js': "exports.plugin = 'users'; exports.get = async ({ id }) => ({ id });",
    'whole_plugin.js': "module.exports = Object.assign({}, { plugin: 'whole', ask: () => 42 });",
    'notes.js': 'throw new Error("no plugin")',
    'calculator_plugin.mjs.map': '{',
  });
  expect(await server.register_directory(dir)).toEqual(['calculator:add', 'users:get', 'whole:ask']);
  const guest = await connected();
  expect(await called(guest, 'calculator:add', { a: 5, b: 3 })).toMatchObject({ data: 8 });
  expect(await called(guest, 'whole:ask')).toMatchObject({ data: 42 });
});

test("a file's options are by function name", async ({ server, connected, folder }) => {
  const dir = await folder({
    'a_plugin.mjs': "export const plugin = 'a'; export const b = () => 1; export const c = () => 2; export const options = { b: { idempotent: true, concurrency: 2 } };",
    'd_plugin.js': "module.exports = { plugin: 'd', e: () => 3, options: { e: { policy: 'first' } } };",
  });
  expect(await server.register_directory(dir)).toEqual(['a:b', 'a:c', 'd:e']);
  const functions = [{ name: 'a:b', idempotent: true, concurrency: 2 }, { name: 'a:c' }, { name: 'd:e', policy: 'first' }];
  expect((await (await connected()).receives('register'))['functions']).toEqual(functions);
});

test('a directory may be a URL', async ({ server, folder }) => {
  const dir = await folder({ 'a_plugin.mjs': "export const plugin = 'a'; export const b = () => 1;" });
  expect(await server.register_directory(pathToFileURL(dir))).toEqual(['a:b']);
});

test.for([
  ['throws', 'throw new Error("mine")', /bad_plugin\.mjs failed: mine/],
  ['is no JavaScript', 'export const', /bad_plugin\.mjs failed: /],
  ['exports no plugin', 'export const b = () => 1;', /bad_plugin\.mjs failed: .*export `plugin`/],
  ['exports no functions', "export const plugin = 'a';", /bad_plugin\.mjs failed: .*no functions/],
  ['has options for what is no function', "export const plugin = 'a'; export const c = () => 1; export const options = { d: {} };", /bad_plugin\.mjs failed: .*'d', which is no function/],
  ['has a bad plugin name', "export const plugin = 'a:b'; export const c = () => 1;", /bad_plugin\.mjs failed: .*colon/],
] as const)('a file that %s is named, and nothing is registered', async ([, text, message], { server, connected, folder }) => {
  const dir = await folder({ 'a_plugin.mjs': "export const plugin = 'a'; export const b = () => 1;", 'bad_plugin.mjs': text });
  expect((await rejection(server.register_directory(dir)))['message']).toMatch(message);
  server.register_plugin('other', 'one', () => 1);
  expect((await (await connected()).receives('register'))['functions']).toEqual([{ name: 'other:one' }]);
});

test('a directory without plugins, or none at all, is a mistake', async ({ server, folder }) => {
  expect((await rejection(server.register_directory(await folder({}))))['message']).toMatch(/no \*_plugin\.js/);
  expect((await rejection(server.register_directory('/nowhere/at/all')))['message']).toMatch(/ENOENT.*nowhere/);
});

import { expect, vi } from 'vitest';
import { test } from './front_end.ts';

test('items go with every call and send; explicit fields win', async ({ client, connected }) => {
  const guest = await connected();
  client.setContextItem('session', 'abc123');
  client.setContextItem('lang', 'de');
  client.sendMsg('a:b', { lang: 'en', x: 1 });
  client.send({ cmd: 'a:b' });
  void client.sendMsgSync('a:b', { y: 2 }).catch(() => undefined);
  expect((await guest.receives('send'))['data']).toEqual({ session: 'abc123', lang: 'en', x: 1 });
  expect((await guest.receives('send'))['data']).toEqual({ session: 'abc123', lang: 'de' });
  expect((await guest.receives('call'))['data']).toEqual({ session: 'abc123', lang: 'de', y: 2 });
  client.deleteContextItem('session');
  client.sendMsg('a:b', {});
  expect((await guest.receives('send'))['data']).toEqual({ lang: 'de' });
});

test("the caller's own object is left alone", async ({ client, connected }) => {
  await connected();
  client.setContextItem('session', 'abc123');
  const data = Object.freeze({ x: 1 });
  client.sendMsg('a:b', data);
  expect(data).toEqual({ x: 1 });
});

test('data that is no object goes unchanged, with one warning', async ({ client, connected }) => {
  const warned = vi.spyOn(console, 'warn').mockReturnValue();
  const guest = await connected();
  client.setContextItem('session', 'abc123');
  const moment = new Date(0);
  for (const data of [[1], 'text', null, 5, moment]) client.sendMsg('a:b', data);
  const seen = [];
  for (let n = 0; n < 5; n++) seen.push((await guest.receives('send'))['data']);
  expect(seen).toEqual([[1], 'text', null, 5, moment.toISOString()]);
  expect(warned).toHaveBeenCalledTimes(1);
});

test('items are bounded, and have to fit into JSON', ({ client }) => {
  for (let n = 0; n < 100; n++) client.setContextItem(`i${String(n)}`, n);
  client.setContextItem('i0', 'again');
  expect(() => client.setContextItem('one more', 1)).toThrow(/delete some/);
  expect(() => client.setContextItem('i0', 5n)).toThrow(/JSON/);
  expect(() => client.setContextItem('', 1)).toThrow(/context item/);
});

test('an item named __proto__ is a field like any other', async ({ client, connected }) => {
  const guest = await connected();
  client.setContextItem('__proto__', { admin: true });
  client.sendMsg('a:b', {});
  const { data } = await guest.receives('send');
  expect(Object.hasOwn(data as object, '__proto__')).toBe(true);
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
});

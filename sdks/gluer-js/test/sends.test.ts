import { expect, vi } from 'vitest';
import { until } from '../../core/test/fake_relay.ts';
import { test } from './front_end.ts';

test('sendMsg and send write a send frame without an id', async ({ client, connected }) => {
  const guest = await connected();
  client.sendMsg('log:write', { line: 1 });
  client.send({ cmd: 'log:write', data: { line: 2 } });
  client.sendMsg('log:flush');
  expect(await guest.receives()).toEqual({ type: 'send', cmd: 'log:write', data: { line: 1 } });
  expect(await guest.receives()).toEqual({ type: 'send', cmd: 'log:write', data: { line: 2 } });
  expect(await guest.receives()).toEqual({ type: 'send', cmd: 'log:flush', data: {} });
});

test('sends wait for the connection, in order with calls', async ({ relay, client }) => {
  void client.connect();
  client.sendMsg('a:b', 1);
  void client.sendMsgSync('a:b', 2).catch(() => undefined);
  client.sendMsg('a:b', 3);
  const guest = await relay.welcomes();
  expect([await guest.receives('send'), await guest.receives('call'), await guest.receives('send')].map(({ data }) => data as number)).toEqual([1, 2, 3]);
});

test('a send just before disconnect() still leaves', async ({ client, connected }) => {
  const guest = await connected();
  client.sendMsg('a:b', 'last words');
  client.disconnect();
  expect(await guest.receives('send')).toMatchObject({ data: 'last words' });
});

test('a notice is the error event', async ({ client, connected, events }) => {
  const guest = await connected();
  client.sendMsg('nobody:home', {});
  await guest.receives('send');
  guest.sends({ type: 'notice', code: 'quota_exceeded', message: 'Used up.', about: 'nobody:home', data: { limit: 1 } });
  await until('the error', () => events.length > 1);
  expect(events[1]).toEqual(['error', { code: 'quota_exceeded', message: 'Used up.', about: 'nobody:home', data: { limit: 1 } }]);
});

test('a send above the rate is an error event that says when to try again', async ({ client, connected, events }) => {
  const guest = await connected();
  client.sendMsg('a:b', {});
  await guest.receives('send');
  guest.sends({ type: 'notice', code: 'rate_limited', message: 'Slowly.', about: 'a:b', retry_after: 20 });
  await until('the error', () => events.length > 1);
  expect(events[1]).toEqual(['error', { code: 'rate_limited', message: 'Slowly.', about: 'a:b', retry_after: 20 }]);
});

test('a send that cannot leave is the error event', async ({ client, connected, relay, events }) => {
  relay.welcome = { limits: { frame: 100 } };
  await connected();
  client.sendMsg('a:b', 'x'.repeat(200));
  await until('the error', () => events.length > 1);
  expect(events[1]![1]).toMatchObject({ code: 'payload_too_large', about: { type: 'send', cmd: 'a:b' } });
});

test('a send before connect() is the error event at once', async ({ client, events }) => {
  client.sendMsg('a:b', 1);
  await until('the error', () => events.length > 0);
  expect(events).toEqual([['error', { code: 'relay_unavailable', message: 'There is no connection: call connect() first.', about: { type: 'send', cmd: 'a:b' } }]]);
});

test('mistakes in a send are thrown at once', ({ client }) => {
  expect(() => client.sendMsg('', {})).toThrow(/command/);
  expect(() => client.sendMsg('a:b', 5n)).toThrow(/JSON/);
  expect(() => client.send('a:b' as unknown as { cmd: string })).toThrow(/\{cmd, data\}/);
});

test('an error nobody listens to is printed, and one that somebody listens to is not', async ({ client, connected }) => {
  const shown = vi.spyOn(console, 'error').mockReturnValue();
  const guest = await connected();
  const notice = { type: 'notice', code: 'forbidden', message: 'No.', about: 'news' };
  guest.sends(notice);
  await until('the print', () => shown.mock.calls.length > 0);
  expect(shown.mock.calls).toEqual([['gluer: forbidden: No.', 'news']]);
  const heard = vi.fn();
  client.addEventListener('error', heard);
  guest.sends(notice);
  await until('the event', () => heard.mock.calls.length > 0);
  client.removeEventListener('error', heard);
  guest.sends(notice);
  await until('the second print', () => shown.mock.calls.length > 1);
  expect(heard).toHaveBeenCalledTimes(1);
});

test("a listener that throws does not keep others from hearing", async ({ client, connected }) => {
  const shown = vi.spyOn(console, 'error').mockReturnValue();
  const heard = vi.fn();
  client.addEventListener('connection', () => { throw new Error('mine'); });
  client.addEventListener('connection', heard);
  await connected();
  expect(heard).toHaveBeenCalledTimes(1);
  expect(shown).toHaveBeenCalledTimes(1);
});

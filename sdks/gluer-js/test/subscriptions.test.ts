import { expect, vi } from 'vitest';
import { until } from '../../core/test/fake_relay.ts';
import { test } from './front_end.ts';

test('a handler gets the data and the channel', async ({ client, connected }) => {
  const guest = await connected();
  const heard = vi.fn();
  client.subscribe('news', heard);
  guest.results(await guest.receives('subscribe'), { news: {} });
  guest.sends({ type: 'message', channel: 'news', data: { n: 1 } });
  await until('the message', () => heard.mock.calls.length > 0);
  expect(heard.mock.calls).toEqual([[{ n: 1 }, { channel: 'news' }]]);
});

test('the subscriptions of one turn are one frame, and a channel is subscribed to once', async ({ client, connected }) => {
  const guest = await connected();
  client.subscribe(['news', 'sports'], () => undefined);
  client.subscribe('news', () => undefined);
  client.subscribe('weather', () => undefined);
  expect(await guest.receives('subscribe')).toMatchObject({ channels: ['news', 'sports', 'weather'] });
  client.sendMsg('a:b');
  await guest.receives('send');
});

test('a call behind a subscribe of the same turn leaves behind it', async ({ client, connected }) => {
  const guest = await connected();
  client.subscribe('news', () => undefined);
  client.sendMsg('news:replay');
  await guest.receives('subscribe');
  await guest.receives('send');
});

test('subscriptions made before the connection leave right behind the hello', async ({ relay, client }) => {
  client.subscribe('news', () => undefined);
  void client.connect();
  const guest = await relay.meets();
  await guest.receives('hello');
  expect(await guest.receives('subscribe')).toMatchObject({ channels: ['news'] });
});

test('subscriptions survive a reconnect', async ({ relay, client, connected }) => {
  const heard = vi.fn();
  client.subscribe(['news', 'sports'], heard);
  client.subscribe('gone', heard)();
  (await connected()).vanishes();
  const guest = await relay.welcomes();
  const frame = await guest.receives('subscribe');
  expect(frame['channels']).toEqual(['news', 'sports']);
  guest.sends({ type: 'message', channel: 'sports', data: 'goal' });
  await until('the message', () => heard.mock.calls.length > 0);
});

test('a relay that is behind the one before repeats nothing', async ({ relay, client, connected }) => {
  const heard: unknown[] = [];
  const message = (epoch: string, offset: number, channel = 'news'): object => ({ type: 'message', channel, data: offset, position: [epoch, offset] });
  client.subscribe(['news', 'sports'], (data) => { heard.push(data); });
  const old = await connected();
  for (const offset of [5, 6]) old.sends(message('a', offset));
  await until('the messages', () => heard.length === 2);
  old.vanishes();
  const next = await relay.welcomes();
  for (const frame of [message('a', 5), message('a', 6), message('a', 4, 'sports'), message('b', 1), message('a', 7)]) next.sends(frame);
  await until('the new ones', () => heard.length >= 5);
  expect(heard).toEqual([5, 6, 4, 1, 7]);
});

test('a position of an unknown form is passed over', async ({ client, connected }) => {
  const heard: unknown[] = [];
  client.subscribe('news', (data) => { heard.push(data); });
  const guest = await connected();
  for (const position of [undefined, 1, ['a'], ['a', '1'], null]) guest.sends({ type: 'message', channel: 'news', data: 1, position });
  await until('all', () => heard.length === 5);
});

test('of a channel 32 epochs are remembered, those that were heard last', async ({ client, connected }) => {
  const heard: unknown[] = [];
  client.subscribe('news', (data) => { heard.push(data); });
  const guest = await connected();
  for (let n = 0; n <= 32; n++) guest.sends({ type: 'message', channel: 'news', data: n, position: [String(n), 1] });
  for (const n of [32, 1, 0]) guest.sends({ type: 'message', channel: 'news', data: n, position: [String(n), 1] });
  await until('the forgotten one', () => heard.length === 34);
  expect(heard[33]).toBe(0);
});

test('all handlers of a channel hear, each until its own end', async ({ client, connected }) => {
  const guest = await connected();
  const [first, second] = [vi.fn(), vi.fn()];
  const end = client.subscribe('news', first);
  client.subscribe('news', second);
  await guest.receives('subscribe');
  end();
  end();
  guest.sends({ type: 'message', channel: 'news', data: 1 });
  await until('the message', () => second.mock.calls.length > 0);
  expect(first).not.toHaveBeenCalled();
  expect(guest.unread).toBe(0);
  client.unsubscribe('news', second);
  expect(await guest.receives('unsubscribe')).toMatchObject({ channels: ['news'] });
});

test('unsubscribe without a handler takes them all', async ({ client, connected }) => {
  const guest = await connected();
  const heard = vi.fn();
  client.subscribe(['news', 'sports'], heard);
  client.subscribe('news', heard);
  await guest.receives('subscribe');
  client.unsubscribe(['news', 'never']);
  expect(await guest.receives('unsubscribe')).toMatchObject({ channels: ['news'] });
  guest.sends({ type: 'message', channel: 'news', data: 'crossed' });
  guest.sends({ type: 'message', channel: 'sports', data: 'goal' });
  await until('the message', () => heard.mock.calls.length > 0);
  expect(heard.mock.calls).toEqual([['goal', { channel: 'sports' }]]);
});

test('a handler that throws does not keep others from hearing', async ({ client, connected }) => {
  const guest = await connected();
  vi.spyOn(console, 'error').mockReturnValue();
  const heard = vi.fn();
  client.subscribe('news', () => { throw new Error('mine'); });
  client.subscribe('news', heard);
  guest.sends({ type: 'message', channel: 'news', data: 1 });
  await until('the message', () => heard.mock.calls.length > 0);
});

test('a refused subscription is the error event', async ({ client, connected, events }) => {
  const guest = await connected();
  client.subscribe('secret', () => undefined);
  guest.errors(await guest.receives('subscribe'), 'forbidden');
  await until('the error', () => events.length > 1);
  expect(events[1]![1]).toMatchObject({ code: 'forbidden', about: { type: 'subscribe', channels: ['secret'] } });
});

test('a subscription that cannot be had just now is asked for again', async ({ client, connected }) => {
  const guest = await connected();
  client.addEventListener('error', () => undefined);
  client.subscribe('news', () => undefined);
  guest.errors(await guest.receives('subscribe'), 'rate_limited', { retryable: true, retry_after: 10 });
  expect(await guest.receives('subscribe')).toMatchObject({ channels: ['news'] });
});

test('mistakes are thrown at once', ({ client }) => {
  expect(() => client.subscribe('$gluer.x', () => undefined)).toThrow(/reserved/);
  expect(() => client.subscribe('', () => undefined)).toThrow(/channel/);
  expect(() => client.subscribe('news', undefined as unknown as () => void)).toThrow(/function/);
});

test('channels and handlers are bounded', ({ client }) => {
  client.subscribe(Array.from({ length: 2_000 }, (_, n) => `c${String(n)}`), () => undefined);
  expect(() => client.subscribe('one more', () => undefined)).toThrow(/Too many channels/);
  for (let n = 1; n < 1_000; n++) client.subscribe('c0', () => undefined);
  expect(() => client.subscribe('c0', () => undefined)).toThrow(/Too many handlers/);
});

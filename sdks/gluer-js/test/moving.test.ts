// The relay ends and says so: the front end moves to another one, and nobody notices (GP-6).
import { expect } from 'vitest';
import { rejection, until, type Fields, type Guest } from '../../core/test/fake_relay.ts';
import { makeClient, test as base } from './front_end.ts';

const ANNOUNCED = { type: 'bye', code: 'restarting', message: 'The relay restarts; connect again.', reconnect: true, after: 20 };

interface Moving {
  old: Guest;
  next: Guest;
  /** What the old connection is asked: whether all has come (GP-24). */
  fence: Fields;
  heard: unknown[];
}

const test = base.extend<{ moving: () => Promise<Moving> }>({
  moving: async ({ relay, client, connected, events }, use) => {
    await use(async () => {
      const heard: unknown[] = [];
      const old = await connected();
      client.subscribe('news', (data) => { heard.push(data); });
      old.results(await old.receives('subscribe'), { news: {} });
      old.sends(ANNOUNCED);
      const next = await relay.welcomes();
      next.results(await next.receives('subscribe'), { news: {} });
      const fence = await old.receives('unsubscribe');
      expect(fence).toMatchObject({ channels: [] });
      expect(events).toHaveLength(2); // moved
      return { old, next, fence, heard };
    });
  },
});

test('a front end moves: new calls go by the new connection, those in flight are answered on the old one', async ({ relay, client, connected, events }) => {
  const old = await connected();
  const before = client.sendMsgSync('a:slow');
  const slow = await old.receives('call');
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  expect(next.hello['session']).toBe(old.hello['session']);
  await until('the move', () => events.length === 2);
  const after = client.sendMsgSync('a:quick');
  next.results(await next.receives('call'), 'new');
  expect(await after).toEqual({ data: 'new' });
  old.results(slow, 'old');
  expect(await before).toEqual({ data: 'old' });
  await until('the end of the old one', () => old.closed === 1000);
  expect(events).toMatchObject([['connection', { reconnected: false }], ['connection', { reconnected: true }]]);
  expect(client.state).toBe('connected');
});

test('the old connection is used until the relay says that it is time', async ({ relay, client, connected }) => {
  const old = await connected();
  old.sends({ ...ANNOUNCED, after: 150 });
  const start = performance.now();
  const call = client.sendMsgSync('a:b');
  old.results(await old.receives('call'), 1);
  expect((await call).data).toBe(1);
  await relay.welcomes();
  expect(performance.now() - start).toBeGreaterThanOrEqual(145);
});

test('it moves only when its channels are subscribed there', async ({ relay, client, connected, events }) => {
  const old = await connected();
  client.subscribe('news', () => undefined);
  old.results(await old.receives('subscribe'), { news: {} });
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  const subscribe = await next.receives('subscribe'); // right behind the hello
  await client.sendMsgSync('a:b', {}, 20).catch(() => undefined);
  expect(events).toHaveLength(1); // not moved
  next.results(subscribe, { news: {} });
  await until('the move', () => events.length === 2);
});

test('the old connection\'s messages count until its relay has said that all has come, then the new one\'s', async ({ moving }) => {
  const { old, next, fence, heard } = await moving();
  next.sends(message(3)); // it is ahead
  old.sends(message(1));
  old.sends(message(2));
  await until('the old ones', () => heard.length === 2);
  old.results(fence);
  await until('the new one', () => heard.length === 3);
  next.sends(message(4));
  await until('the next', () => heard.length === 4);
  expect(heard).toEqual([1, 2, 3, 4]);
  await until('the end of the old one', () => old.closed === 1000);
});

test('what both connections bring is heard once', async ({ moving }) => {
  const { old, next, fence, heard } = await moving();
  next.sends(message(1, 'other epoch')); // it is behind
  for (const n of [1, 2]) next.sends(message(n));
  old.sends(message(1, 'other epoch'));
  for (const n of [1, 2, 3]) old.sends(message(n));
  await until('the old ones', () => heard.length === 4);
  old.results(fence);
  for (const n of [3, 4]) next.sends(message(n));
  await until('the new one', () => heard.length === 5);
  expect(heard).toEqual([1, 1, 2, 3, 4]);
});

test('after the answer the old connection\'s messages count no more', async ({ moving }) => {
  const { old, next, fence, heard } = await moving();
  old.results(fence);
  old.sends(message(1));
  await until('the end of the old one', () => old.closed === 1000); // it was read
  next.sends(message(1));
  await until('the message', () => heard.length > 0);
  next.sends(message(2));
  await until('the next', () => heard.length === 2);
  expect(heard).toEqual([1, 2]);
});

test.for(['ends', 'refuses'])('when the old relay %s instead of an answer, the new connection counts', async (fault, { moving }) => {
  const { old, next, fence, heard } = await moving();
  next.sends(message(2));
  old.sends(message(1));
  await until('the old one', () => heard.length === 1);
  if (fault === 'ends') old.bye(1012, { code: 'restarting' });
  else old.errors(fence, 'rate_limited');
  await until('the new one', () => heard.length === 2);
  expect(heard).toEqual([1, 2]);
});

test('what is held of the new connection is bounded, and the newest stay', async ({ moving }) => {
  const { old, next, fence, heard } = await moving();
  for (let n = 1; n <= 1_010; n++) next.sends(message(n));
  next.sends({ type: 'call', id: '1', cmd: 'none', data: {}, timeout: 1_000, header: {} });
  await next.receives('error'); // all have been read
  old.results(fence);
  await until('the messages', () => heard.length === 1_000);
  expect(heard[0]).toBe(11);
});

test('one move behind the other loses no message', async ({ relay, moving }) => {
  const { next, heard } = await moving();
  next.sends(message(1)); // held
  next.sends(ANNOUNCED);
  const last = await relay.welcomes();
  last.results(await last.receives('subscribe'), { news: {} });
  const fence = await next.receives('unsubscribe');
  await until('the first', () => heard.length === 1);
  last.sends(message(3));
  next.sends(message(2));
  next.results(fence);
  await until('the third', () => heard.length === 3);
  expect(heard).toEqual([1, 2, 3]);
});

test('a channel subscribed to while it moves is known to the new connection', async ({ relay, client, connected }) => {
  const heard: unknown[] = [];
  const old = await connected();
  client.subscribe('first', () => undefined);
  old.results(await old.receives('subscribe'), { first: {} });
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  const first = await next.receives('subscribe');
  client.subscribe('second', (data) => { heard.push(data); });
  const second = await next.receives('subscribe');
  next.results(first, { first: {} });
  next.results(second, { second: {} });
  next.sends({ type: 'message', channel: 'second', data: 'hello' });
  old.results(await old.receives('unsubscribe'));
  await until('the message', () => heard.length === 1);
  await until('the end of the old one', () => old.closed === 1000);
});

test('what a back end calls on the old connection is answered there', async ({ relay, client, connected }) => {
  let answer: (value: string) => void = () => undefined;
  client.on('ask', () => new Promise<string>((resolve) => { answer = resolve; }));
  const old = await connected();
  old.sends({ type: 'call', id: '1', cmd: 'ask', data: {}, timeout: 30_000, header: {} });
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  client.on('other', () => 'new');
  next.sends({ type: 'call', id: '1', cmd: 'other', data: {}, timeout: 30_000, header: {} });
  expect(await next.receives()).toMatchObject({ type: 'result', id: '1', data: 'new' });
  expect(old.closed).toBeUndefined();
  answer('old');
  expect(await old.receives()).toMatchObject({ type: 'result', id: '1', data: 'old' });
  await until('the end of the old one', () => old.closed === 1000);
});

test('a new connection that fails is made again, and the old one serves meanwhile', async ({ relay, client, connected, events }) => {
  const old = await connected();
  client.subscribe('news', () => undefined);
  old.results(await old.receives('subscribe'), { news: {} });
  old.sends(ANNOUNCED);
  const failing = await relay.welcomes();
  failing.vanishes();
  old.results(await old.receives('subscribe'), { news: {} }); // told anew, since the other one may have heard more
  const call = client.sendMsgSync('a:b');
  old.results(await old.receives('call'), 1);
  expect((await call).data).toBe(1);
  const next = await relay.welcomes();
  next.results(await next.receives('subscribe'), { news: {} });
  old.results(await old.receives('unsubscribe'));
  await until('the end of the old one', () => old.closed === 1000);
  expect(events.map(([type]) => type)).toEqual(['connection', 'connection']);
});

test('a relay that ends before the new connection stands is come back to', async ({ relay, client, connected, events }) => {
  const old = await connected();
  old.sends({ ...ANNOUNCED, after: 40 });
  const call = rejection(client.sendMsgSync('a:b'));
  await old.receives('call');
  old.bye(1012, { code: 'restarting', after: 0 });
  expect(await call).toMatchObject({ code: 'connection_lost' });
  await relay.welcomes();
  await until('connected', () => client.state === 'connected');
  expect(events.map(([type]) => type)).toEqual(['connection', 'disconnect', 'connection']);
  expect(relay.guests).toHaveLength(2);
});

test('the relay ends the old connection while a call is in flight there', async ({ relay, client, connected, events }) => {
  const old = await connected();
  const call = rejection(client.sendMsgSync('a:b'));
  const kept = client.sendMsgSync('a:c', {}, { idempotencyKey: 'k' });
  await old.receives('call');
  const first = await old.receives('call');
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  await until('the move', () => events.length === 2);
  old.bye(1012, { code: 'restarting' });
  expect(await call).toMatchObject({ code: 'connection_lost' });
  expect(client.state).toBe('connected');
  const open = client.sendMsgSync('a:d'); // behind it
  const again = await next.receives('call');
  expect(again).toMatchObject({ cmd: 'a:c', idempotency_key: first['idempotency_key'] });
  next.results(again, 1);
  next.results(await next.receives('call'), 1);
  expect([(await kept).data, (await open).data]).toEqual([1, 1]);
});

test('one move after the other', async ({ relay, client, connected, events }) => {
  let guest: Fields & { sends(frame: Fields): void } = await connected();
  for (let n = 0; n < 3; n++) {
    guest.sends(ANNOUNCED);
    guest = await relay.welcomes();
    await until('the move', () => events.length === n + 2);
  }
  expect(client.state).toBe('connected');
  await until('only one', () => relay.guests.filter(({ closed }) => closed === undefined).length === 1);
});

test('disconnect() in the middle of a move ends both', async ({ relay, client, connected }) => {
  const old = await connected();
  client.subscribe('news', () => undefined);
  old.results(await old.receives('subscribe'), { news: {} });
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  client.disconnect();
  await until('both ends', () => old.closed !== undefined && next.closed !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(relay.guests).toHaveLength(2);
});

test('a connection that stays silent after its announcement is still watched', async ({ relay }) => {
  relay.welcome = { ping: 0.05 };
  const client = makeClient(relay, { backoff: { first: 5, most: 20 }, stable: 0, grace: 50, late: 20 });
  const standing = client.connect();
  const old = await relay.welcomes();
  await standing;
  old.sends({ ...ANNOUNCED, after: 400 });
  old.freezes();
  const call = rejection(client.sendMsgSync('a:b'));
  expect(await call).toMatchObject({ code: 'connection_lost' });
  client.disconnect();
});

function message(data: number, epoch = 'epoch'): Fields {
  return { type: 'message', channel: 'news', data, position: [epoch, data] };
}

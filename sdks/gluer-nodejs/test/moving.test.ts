// The relay ends and says so: the back end serves two connections until the old one is closed (GP-6).
import { expect } from 'vitest';
import { until } from '../../core/test/fake_relay.ts';
import { test } from './back_end.ts';

const ANNOUNCED = { type: 'bye', code: 'restarting', message: 'The relay restarts; connect again.', reconnect: true, after: 10 };
const CALL = { type: 'call', id: '1', cmd: 'a:where', data: {}, timeout: 30_000, header: {} };

test('a back end registers on the new connection and serves both until the relay closes the old one', async ({ relay, server, connected, events }) => {
  server.register_plugin('a', 'where', (data) => data);
  const old = await connected();
  old.results(await old.receives('register'));
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  next.results(await next.receives('register'));
  await until('the move', () => events.length === 2);
  old.sends({ ...CALL, data: 'old' });
  next.sends({ ...CALL, data: 'new' }); // the same id, of another relay
  expect(await old.receives()).toMatchObject({ type: 'result', id: '1', data: 'old' });
  expect(await next.receives()).toMatchObject({ type: 'result', id: '1', data: 'new' });
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(old.closed).toBeUndefined();
  old.bye(1012, { code: 'restarting' });
  await until('the end', () => old.closed !== undefined);
  next.sends({ ...CALL, id: '2', data: 'still' });
  expect(await next.receives()).toMatchObject({ id: '2', data: 'still' });
  expect(server.state).toBe('connected');
  expect(events.map(([type]) => type)).toEqual(['connection', 'connection']);
});

test('only the calls of the connection that ended are aborted', async ({ relay, server, connected }) => {
  const aborted: unknown[] = [];
  server.register_plugin('a', 'where', (data, { signal }) => new Promise(() => {
    signal.addEventListener('abort', () => aborted.push(data));
  }));
  const old = await connected();
  old.results(await old.receives('register'));
  old.sends({ ...CALL, data: 'old' });
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  next.results(await next.receives('register'));
  next.sends({ ...CALL, data: 'new' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  old.vanishes();
  await until('the abort', () => aborted.length > 0);
  expect(aborted).toEqual(['old']);
  expect(server.state).toBe('connected');
});

test('a function registered while it moves is known to the new connection', async ({ relay, server, connected, events }) => {
  server.register_plugin('a', 'where', () => 1);
  const old = await connected();
  old.results(await old.receives('register'));
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  const first = await next.receives('register');
  server.register_plugin('a', 'later', () => 2);
  const second = await next.receives('register');
  next.results(first);
  expect(events).toHaveLength(1); // it waits for all its functions
  next.results(second);
  await until('the move', () => events.length === 2);
});

test('disconnect() after a move drains both connections', async ({ relay, server, connected, events }) => {
  let finish: () => void = () => undefined;
  server.register_plugin('a', 'where', () => new Promise((resolve) => { finish = () => { resolve('done'); }; }));
  const old = await connected();
  old.results(await old.receives('register'));
  old.sends(CALL);
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  next.results(await next.receives('register'));
  await until('the move', () => events.length === 2);
  const left = server.disconnect();
  expect(await old.receives()).toEqual({ type: 'drain' });
  next.results(await next.receives('drain'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(server.state).toBe('connected');
  finish();
  expect(await old.receives()).toMatchObject({ type: 'result', id: '1', data: 'done' });
  await left;
  await until('both ends', () => old.closed !== undefined && next.closed !== undefined);
});

test('a back end that is leaving does not move', async ({ relay, server, connected }) => {
  let finish: () => void = () => undefined;
  server.register_plugin('a', 'where', () => new Promise((resolve) => { finish = () => { resolve('done'); }; }));
  const old = await connected();
  old.results(await old.receives('register'));
  old.sends(CALL);
  const left = server.disconnect();
  old.results(await old.receives('drain'));
  old.sends(ANNOUNCED);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(relay.guests).toHaveLength(1);
  finish();
  expect(await old.receives()).toMatchObject({ type: 'result', data: 'done' });
  await left;
});

test('publishes by the new connection wait for the answers of those by the old one', async ({ relay, server, connected, events }) => {
  const old = await connected();
  const first = server.publish('news', 1);
  const before = await old.receives('publish');
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  await until('the move', () => events.length === 2);
  const later = [server.publish('news', 2), server.publish('news', 3)];
  const called = server.call('a:where'); // waits for nobody
  next.results(await next.receives('call'));
  await called;
  old.results(before, { receivers: 1 });
  expect(await first).toEqual({ receivers: 1 });
  for (const data of [2, 3]) {
    const publish = await next.receives('publish');
    expect(publish).toMatchObject({ data });
    next.results(publish, { receivers: 1 });
  }
  await Promise.all(later);
});

test('publishes by the new connection go on when the old one ends', async ({ relay, server, connected, events }) => {
  const old = await connected();
  const lost = server.publish('news', 1).catch((error: unknown) => error);
  await old.receives('publish');
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  await until('the move', () => events.length === 2);
  void server.publish('news', 2);
  old.vanishes();
  expect(await lost).toMatchObject({ code: 'connection_lost' });
  next.results(await next.receives('publish'), { receivers: 1 });
});

test('publishes by the new connection wait 2 s for an old one that is silent', async ({ relay, server, connected, events }) => {
  const old = await connected();
  void server.publish('news', 1).catch(() => undefined);
  await old.receives('publish');
  old.sends(ANNOUNCED);
  const next = await relay.welcomes();
  await until('the move', () => events.length === 2);
  const second = server.publish('news', 2);
  next.results(await next.receives('publish'), { receivers: 1 });
  expect(await second).toEqual({ receivers: 1 });
});

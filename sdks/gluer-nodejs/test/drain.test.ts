import { expect } from 'vitest';
import { PRIVATE_KEY, rejection, until } from '../../core/test/fake_relay.ts';
import { test as base, type BackEnd } from './back_end.ts';

interface Slow {
  /** How many calls of `a:slow` run. */
  running: () => number;
  /** Ends them. */
  finish: () => void;
}

const test = base.extend<{ slow: Slow }>({
  slow: async ({ server }: BackEnd, use) => {
    const ends: (() => void)[] = [];
    server.register_plugin('a', 'slow', () => new Promise((resolve) => { ends.push(() => { resolve('done'); }); }));
    await use({ running: () => ends.length, finish: () => { for (const end of ends) end(); } });
  },
});

const CALL = { type: 'call', id: 'k1', cmd: 'a:slow', data: {}, timeout: 30_000, header: {} };

test('disconnect() drains: no new calls, those in flight are answered, then it ends', async ({ server, slow, connected, events }) => {
  const guest = await connected();
  await guest.receives('register');
  guest.sends(CALL);
  await until('the call', () => slow.running() === 1);
  const left = server.disconnect();
  const drain = await guest.receives('drain');
  expect(drain).toEqual({ type: 'drain', id: expect.any(String) });
  guest.sends({ ...CALL, id: 'k2' }); // handed over before the relay read the drain
  guest.results(drain);
  await until('both calls', () => slow.running() === 2);
  expect(server.state).toBe('connected');
  slow.finish();
  expect([await guest.receives('result'), await guest.receives('result')]).toMatchObject([{ id: 'k1', data: 'done' }, { id: 'k2', data: 'done' }]);
  await left;
  expect(server.state).toBe('disconnected');
  await until('the close', () => guest.closed === 1000);
  expect(guest.pings).toBe(1); // the relay has read the answers before the end
  expect(events.map(([type]) => type)).toEqual(['connection', 'disconnect']);
});

test('a drain waits for sends that run, and not for calls that were cancelled', async ({ server, slow, connected }) => {
  const guest = await connected();
  await guest.receives('register');
  guest.sends({ ...CALL, type: 'send', id: undefined });
  guest.sends(CALL);
  await until('both', () => slow.running() === 2);
  guest.sends({ type: 'cancel', id: 'k1' });
  const left = server.disconnect();
  guest.results(await guest.receives('drain'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(server.state).toBe('connected');
  slow.finish();
  await left;
  expect(server.state).toBe('disconnected');
});

test('a drain ends with its time, whatever runs', async ({ server, slow, connected }) => {
  const guest = await connected();
  await guest.receives('register');
  guest.sends(CALL);
  await until('the call', () => slow.running() === 1);
  const start = performance.now();
  const left = server.disconnect({ timeout: 100 });
  guest.results(await guest.receives('drain'));
  await left;
  expect(performance.now() - start).toBeGreaterThanOrEqual(99);
  expect(server.state).toBe('disconnected');
});

test('a drain that the relay refuses still waits for the calls', async ({ server, slow, connected }) => {
  const guest = await connected();
  await guest.receives('register');
  guest.sends(CALL);
  await until('the call', () => slow.running() === 1);
  const left = server.disconnect();
  guest.errors(await guest.receives('drain'), 'bad_frame');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(server.state).toBe('connected');
  slow.finish();
  await guest.receives('result');
  await left;
});

test('a connection that ends while it drains does not come back', async ({ relay, server, slow, connected }) => {
  const guest = await connected();
  await guest.receives('register');
  guest.sends(CALL);
  await until('the call', () => slow.running() === 1);
  const left = server.disconnect();
  await guest.receives('drain');
  guest.vanishes();
  await left;
  expect(server.state).toBe('disconnected');
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(relay.guests).toHaveLength(1);
});

test('disconnect({drain: false}) ends at once, and a drain that runs with it', async ({ server, slow, connected }) => {
  const guest = await connected();
  await guest.receives('register');
  guest.sends(CALL);
  await until('the call', () => slow.running() === 1);
  const left = server.disconnect();
  await guest.receives('drain');
  void server.disconnect({ drain: false });
  expect(server.state).toBe('disconnected');
  await left;
  await until('the close', () => guest.closed === 1000);
});

test('disconnect() twice drains once', async ({ server, connected }) => {
  const guest = await connected();
  const both = [server.disconnect(), server.disconnect()];
  guest.results(await guest.receives('drain'));
  await Promise.all(both);
  expect(guest.unread).toBe(0);
});

test('disconnect() without a connection ends at once', async ({ server, relay }) => {
  await server.disconnect();
  const standing = rejection(server.connect(PRIVATE_KEY));
  await relay.meets();
  await server.disconnect();
  expect(await standing).toMatchObject({ code: 'connection_lost' });
});

test('connect() while it drains is a new connection', async ({ relay, server, connected }) => {
  const guest = await connected();
  const left = server.disconnect();
  await guest.receives('drain');
  const standing = server.connect(PRIVATE_KEY);
  await relay.welcomes();
  await standing;
  await left;
  expect(server.state).toBe('connected');
  await until('the end of the first', () => guest.closed !== undefined);
});

test.for([0, -1, NaN, 'soon' as unknown as number])('a drain of %j ms is refused', async (timeout, { server }) => {
  expect(await rejection(server.disconnect({ timeout }))).toMatchObject({ code: 'invalid_arguments' });
});

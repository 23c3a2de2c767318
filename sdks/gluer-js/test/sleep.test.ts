// What a computer's sleep looks like from inside: the time of day jumps, or timers fire late.
import { expect, vi } from 'vitest';
import { rejection, until } from '../../core/test/fake_relay.ts';
import { FAST, makeClient, test } from './front_end.ts';

const WATCHFUL = { ...FAST, watch: 20, late: 2_000, answer: 100 };
const HOUR = 3_600_000;

/** The time of day jumps, while the steady clock and all timers stood still. */
function sleepAnHour(): void {
  const before = Date.now.bind(Date);
  vi.spyOn(Date, 'now').mockImplementation(() => before() + HOUR);
}

/** The program stands still. */
function blockFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('after a sleep the relay is asked, and a connection that answers is kept', async ({ relay }) => {
  const client = makeClient(relay, WATCHFUL);
  const standing = client.connect();
  const guest = await relay.welcomes();
  await standing;
  const call = client.sendMsgSync('a:b');
  const frame = await guest.receives('call');
  sleepAnHour();
  await until('the ping', () => guest.pings === 1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  guest.results(frame, 'still here');
  expect(await call).toEqual({ data: 'still here' });
  expect([guest.pings, relay.guests.length]).toEqual([1, 1]);
  client.disconnect();
});

test('after a sleep a connection that does not answer is left, and its calls end', async ({ relay }) => {
  const client = makeClient(relay, WATCHFUL);
  const standing = client.connect();
  const guest = await relay.welcomes();
  await standing;
  const call = client.sendMsgSync('a:b');
  await guest.receives('call');
  guest.freezes();
  const start = performance.now();
  sleepAnHour();
  expect(await rejection(call)).toMatchObject({ code: 'connection_lost', message: 'Nothing was heard from the relay.' });
  expect(performance.now() - start).toBeLessThan(5_000);
  await relay.welcomes();
  client.disconnect();
});

test('after a sleep frames that had come before it prove nothing', async ({ relay }) => {
  const client = makeClient(relay, WATCHFUL);
  const standing = client.connect();
  const guest = await relay.welcomes();
  await standing;
  guest.answersPings = false;
  sleepAnHour();
  await until('the ping', () => guest.pings === 1);
  guest.sends({ type: 'message', channel: 'news', data: 'old' });
  await relay.welcomes();
  client.disconnect();
});

test('without a sleep nobody is asked', async ({ relay }) => {
  const client = makeClient(relay, WATCHFUL);
  const standing = client.connect();
  const guest = await relay.welcomes();
  await standing;
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(guest.pings).toBe(0);
  client.disconnect();
});

test('hurry() asks whether a connection that stands still works', async ({ client, connected, relay }) => {
  const guest = await connected();
  client.hurry();
  await until('the ping', () => guest.pings === 1);
  expect(client.state).toBe('connected');
  expect(relay.guests).toHaveLength(1);
});

test('an answer that came while the program stood still counts, though the deadline is over', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.sendMsgSync('a:b', {}, 100);
  guest.results(await guest.receives('call'), 'in time');
  blockFor(500); // the result waits in the socket, and the timer is first
  expect(await call).toEqual({ data: 'in time' });
});

test('no deadline comes early, whatever the time of day does', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.sendMsgSync('a:b', {}, 1_000);
  const frame = await guest.receives('call');
  sleepAnHour();
  await new Promise((resolve) => setTimeout(resolve, 100));
  guest.results(frame, 'in time');
  expect(await call).toEqual({ data: 'in time' });
});

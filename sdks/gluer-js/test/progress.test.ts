import { expect, vi } from 'vitest';
import { rejection, type Fields } from '../../core/test/fake_relay.ts';
import { test } from './front_end.ts';

/** What an iteration gives, and what it throws at its end. */
async function collected(reports: AsyncIterable<unknown>): Promise<[unknown[], Fields | undefined]> {
  const seen: unknown[] = [];
  try {
    for await (const report of reports) seen.push(report);
  } catch (error) {
    return [seen, error as Fields];
  }
  return [seen, undefined];
}

test('call() is a promise of the reply, and gives progress in order until it', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.call('files:convert', { file: 'a' });
  const frame = await guest.receives('call');
  for (const data of [1, 2]) guest.sends({ type: 'progress', id: frame['id'], data });
  const collecting = collected(call);
  guest.sends({ type: 'progress', id: frame['id'], data: 3 });
  guest.results(frame, 'done');
  expect(await collecting).toEqual([[1, 2, 3], undefined]);
  expect(await call).toEqual({ data: 'done' });
});

test('reports that the relay lost are told with the next one, or with the reply', async ({ client, connected }) => {
  const guest = await connected();
  const seen: unknown[] = [];
  const call = client.call('a:b', {}, { onProgress: (data, { missed }) => { seen.push([data, missed]); } });
  const frame = await guest.receives('call');
  guest.sends({ type: 'progress', id: frame['id'], data: 1 });
  guest.sends({ type: 'progress', id: frame['id'], data: 4, missed: 2 });
  guest.sends({ type: 'result', id: frame['id'], data: 'done', missed: 1 });
  expect(await call).toEqual({ data: 'done', missed: 1 });
  expect(seen).toEqual([[1, 0], [4, 2]]);
});

test('progress may come while the iteration is busy with the one before', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.call('a:b');
  const frame = await guest.receives('call');
  guest.sends({ type: 'progress', id: frame['id'], data: 1 });
  const seen: unknown[] = [];
  for await (const report of call) {
    seen.push(report);
    if (report === 1) {
      for (const data of [2, 3]) guest.sends({ type: 'progress', id: frame['id'], data });
      guest.results(frame, 'done');
      await call;
    }
  }
  expect(seen).toEqual([1, 2, 3]);
});

test("an iteration throws the call's error, after the progress before it", async ({ client, connected }) => {
  const guest = await connected();
  const call = client.call('a:b');
  const collecting = collected(call);
  const frame = await guest.receives('call');
  guest.sends({ type: 'progress', id: frame['id'], data: 1 });
  guest.errors(frame, 'app_error', { message: 'Broken.' });
  expect(await collecting).toMatchObject([[1], { code: 'app_error', message: 'Broken.' }]);
  expect(await rejection(call)).toMatchObject({ code: 'app_error' });
});

test('an iteration that ends early leaves the call alone', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.call('a:b');
  const frame = await guest.receives('call');
  guest.sends({ type: 'progress', id: frame['id'], data: 1 });
  for await (const report of call) if (report === 1) break;
  guest.results(frame, 'done');
  expect(await call).toEqual({ data: 'done' });
  expect(guest.unread).toBe(0);
});

test('call() takes the options of sendMsgSync, onProgress too', async ({ client, connected }) => {
  const guest = await connected();
  const onProgress = vi.fn();
  const ends = new AbortController();
  const call = client.call('a:b', {}, { timeout: 5_000, signal: ends.signal, onProgress, idempotencyKey: 'k' });
  const frame = await guest.receives('call');
  expect(frame).toMatchObject({ timeout: expect.toSatisfy((ms: number) => ms <= 5_000), idempotency_key: 'k' });
  guest.sends({ type: 'progress', id: frame['id'], data: 1 });
  for await (const report of call) if (report === 1) break;
  expect(onProgress.mock.calls).toEqual([[1, { missed: 0 }]]);
  ends.abort();
  expect(await rejection(call)).toMatchObject({ code: 'cancelled' });
  expect(await rejection(client.call(''))).toMatchObject({ code: 'invalid_arguments' });
});

test('an iteration that falls far behind misses the oldest reports', async ({ client, connected }) => {
  const guest = await connected();
  const call = client.call('a:b');
  const frame = await guest.receives('call');
  for (let data = 0; data < 1_500; data++) guest.sends({ type: 'progress', id: frame['id'], data });
  guest.results(frame, 'done');
  await call;
  const [seen] = await collected(call);
  expect([seen.length, seen[0], seen.at(-1)]).toEqual([1_000, 500, 1_499]);
});

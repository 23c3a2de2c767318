import { expect, vi } from 'vitest';
import { until, type Fields, type Guest } from '../../core/test/fake_relay.ts';
import { test } from './front_end.ts';

const HEADER = { connection: 'c9', peer: 'backend' };

/** Lets a back end call a handler; the frame that answers. */
function called(guest: Guest, cmd: string, data: unknown = {}, id = 'k1'): Promise<Fields> {
  guest.sends({ type: 'call', id, cmd, data, timeout: 30_000, header: HEADER });
  return guest.receives();
}

test('a back end calls a handler, which gets data and header, and answers', async ({ client, connected }) => {
  const seen: unknown[] = [];
  client.on('page:ask', (data: Fields, context) => {
    seen.push(context.header);
    context.progress('asking');
    context.outcome = 'page.answered';
    return { answer: `${String(data['question'])} Yes.` };
  });
  const guest = await connected();
  expect(await called(guest, 'page:ask', { question: 'Sure?' })).toEqual({ type: 'progress', id: 'k1', data: 'asking' });
  expect(await guest.receives()).toEqual({ type: 'result', id: 'k1', outcome: 'page.answered', data: { answer: 'Sure? Yes.' } });
  expect(seen).toEqual([HEADER]);
});

test('a handler made while connected is there at once; nothing is registered', async ({ client, connected }) => {
  const guest = await connected();
  client.on('page:ask', () => 1);
  expect(await called(guest, 'page:ask')).toMatchObject({ type: 'result', data: 1 });
});

test('a name without a handler is answered by a sentence, here and there', async ({ connected, events }) => {
  const guest = await connected();
  expect(await called(guest, 'page:nothing')).toMatchObject({ type: 'error', code: 'app_error', message: "This front end has no handler 'page:nothing': it is made with on(name, fn)." });
  expect(events.at(-1)).toMatchObject(['error', { code: 'app_error', about: 'page:nothing' }]);
});

test('what a handler throws is the error of the back end', async ({ client, connected, events }) => {
  client.on('page:ask', () => { throw Object.assign(new Error('Not now.'), { code: 'rejected', data: { until: 5 } }); });
  const guest = await connected();
  expect(await called(guest, 'page:ask')).toMatchObject({ type: 'error', code: 'rejected', message: 'Not now.', data: { until: 5 } });
  client.on('page:ask', () => Promise.reject(new Error('Broken.')));
  expect(await called(guest, 'page:ask')).toMatchObject({ type: 'error', code: 'app_error', message: 'Broken.' });
  expect(events.filter(([type]) => type === 'error')).toHaveLength(1);
});

test('the same name again replaces the handler, off() takes it away', async ({ client, connected }) => {
  client.addEventListener('error', () => undefined);
  client.on('page:ask', () => 1);
  client.on('page:ask', () => 2);
  const guest = await connected();
  expect(await called(guest, 'page:ask')).toMatchObject({ data: 2 });
  expect(client.off('page:ask')).toBe(true);
  expect(client.off('page:ask')).toBe(false);
  expect(await called(guest, 'page:ask')).toMatchObject({ type: 'error', code: 'app_error' });
});

test('a send runs the handler and answers nothing', async ({ client, connected }) => {
  const heard = vi.fn(() => 'unheard');
  client.on('page:show', heard);
  const guest = await connected();
  guest.sends({ type: 'send', cmd: 'page:show', data: { text: 'hi' }, header: HEADER });
  await until('the send', () => heard.mock.calls.length > 0);
  expect(heard).toHaveBeenCalledWith({ text: 'hi' }, expect.objectContaining({ header: HEADER }));
  client.sendMsg('a:b');
  await guest.receives('send');
});

test('cancel fires the signal, and the late answer stays here', async ({ client, connected }) => {
  let reason: Fields | undefined;
  client.on('page:slow', (_data, { signal }) => new Promise((resolve) => {
    signal.addEventListener('abort', () => { reason = signal.reason as Fields; resolve('late'); });
  }));
  const guest = await connected();
  guest.sends({ type: 'call', id: 'k1', cmd: 'page:slow', data: {}, timeout: 1_000, header: HEADER });
  guest.sends({ type: 'cancel', id: 'k1' });
  await until('the abort', () => reason !== undefined);
  expect(reason).toMatchObject({ code: 'cancelled' });
  client.sendMsg('a:b');
  await guest.receives('send');
});

test('a connection that ends fires the signals, and handlers stay for the next one', async ({ relay, client, connected }) => {
  let aborted = false;
  client.on('page:slow', (_data, { signal }) => new Promise(() => { signal.addEventListener('abort', () => { aborted = true; }); }));
  client.on('page:ask', () => 1);
  const guest = await connected();
  guest.sends({ type: 'call', id: 'k1', cmd: 'page:slow', data: {}, timeout: 1_000, header: HEADER });
  await called(guest, 'page:ask', {}, 'k2');
  guest.vanishes();
  const next = await relay.welcomes();
  expect(aborted).toBe(true);
  expect(await called(next, 'page:ask')).toMatchObject({ data: 1 });
});

test('mistakes are thrown at once, and handlers are bounded', ({ client }) => {
  expect(() => client.on('page:ask', 'no function' as never)).toThrow(/needs a function/);
  expect(() => client.on('', () => 1)).toThrow(/handler name/);
  for (let n = 0; n < 2_000; n++) client.on(`h${String(n)}`, () => n);
  client.on('h0', () => 1);
  expect(() => client.on('one more', () => 1)).toThrow(/off\(name\)/);
});

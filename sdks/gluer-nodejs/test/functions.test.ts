import { expect, vi } from 'vitest';
import { PRIVATE_KEY, until, type Fields } from '../../core/test/fake_relay.ts';
import type { Context } from '../../core/src/context.ts';
import { test } from './back_end.ts';

test('the functions of one turn are registered by one frame', async ({ server, connected }) => {
  const guest = await connected();
  server.register_plugin('calculator', 'add', () => 1);
  server.register_plugin('calculator', 'multiply', () => 2);
  expect(await guest.receives('register')).toMatchObject({ id: expect.any(String), functions: [{ name: 'calculator:add' }, { name: 'calculator:multiply' }] });
  server.register_plugin('calculator', 'add', () => 3);
  server.send('a:b');
  await guest.receives('send');
});

test('functions registered before connect() are told right behind the hello, and again after a reconnect', async ({ relay, server }) => {
  server.register_plugin('calculator', 'add', () => 1);
  void server.connect(PRIVATE_KEY);
  server.register_plugin('calculator', 'multiply', () => 2);
  const functions = [{ name: 'calculator:add' }, { name: 'calculator:multiply' }];
  const first = await relay.meets();
  const hello = await first.receives('hello');
  expect(await first.receives('register')).toMatchObject({ functions });
  relay.greets(first, hello);
  await until('connected', () => server.state === 'connected');
  server.send('a:b');
  await first.receives('send'); // and no second register
  first.vanishes();
  expect(await (await relay.welcomes()).receives('register')).toMatchObject({ functions });
});

test('many functions leave in frames of 200, all right behind the hello', async ({ relay, server }) => {
  for (let n = 0; n < 600; n++) server.register_plugin('p', `f${String(n)}`, () => n);
  void server.connect(PRIVATE_KEY);
  const guest = await relay.meets();
  await guest.receives('hello');
  const sizes = [];
  for (let n = 0; n < 3; n++) sizes.push(((await guest.receives('register'))['functions'] as unknown[]).length);
  expect(sizes).toEqual([200, 200, 200]);
});

test('a function gets data and context, and its return is the result', async ({ server, connected, called }) => {
  const seen: unknown[] = [];
  server.register_plugin('calculator', 'add', ({ a, b }: { a: number; b: number }, { header, signal }) => {
    seen.push(header, signal.aborted);
    return Promise.resolve({ result: a + b });
  });
  const answer = await called(await connected(), 'calculator:add', { a: 5, b: 3 }, { session: 's', peer: 'frontend' });
  expect(answer).toEqual({ type: 'result', id: 'k1', data: { result: 8 } });
  expect(seen).toEqual([{ session: 's', peer: 'frontend' }, false]);
});

test('a function that returns nothing answers null', async ({ server, connected, called }) => {
  server.register_plugin('a', 'b', () => undefined);
  expect(await called(await connected(), 'a:b')).toEqual({ type: 'result', id: 'k1', data: null });
});

test('a reply may be named', async ({ server, connected, called }) => {
  server.register_plugin('users', 'create', (_data, context) => {
    context.outcome = 'users.created';
    return { id: 7 };
  });
  expect(await called(await connected(), 'users:create')).toEqual({ type: 'result', id: 'k1', outcome: 'users.created', data: { id: 7 } });
});

test('progress goes out in order before the result, and not after it', async ({ server, connected, called }) => {
  const guest = await connected();
  let kept: Context | undefined;
  server.register_plugin('a', 'b', (_data, context) => {
    kept = context;
    context.progress({ percent: 50 });
    context.progress({ percent: 100 });
    return 'done';
  });
  expect(await called(guest, 'a:b')).toEqual({ type: 'progress', id: 'k1', data: { percent: 50 } });
  expect(await guest.receives()).toEqual({ type: 'progress', id: 'k1', data: { percent: 100 } });
  expect(await guest.receives()).toEqual({ type: 'result', id: 'k1', data: 'done' });
  kept!.progress('late');
  server.send('a:b');
  await guest.receives('send');
});

test('a throw becomes app_error with its message, never its stack, and its author sees it', async ({ server, connected, called, events }) => {
  const thrown = new TypeError('Division by zero.');
  server.register_plugin('a', 'b', () => { throw thrown; });
  const answer = await called(await connected(), 'a:b');
  expect(answer).toEqual({ type: 'error', id: 'k1', code: 'app_error', message: 'Division by zero.', retryable: false });
  expect(JSON.stringify(answer)).not.toContain('.ts');
  expect(events.find(([type]) => type === 'error')).toEqual(['error', { code: 'app_error', message: 'Division by zero.', about: 'a:b', error: thrown }]);
});

test.for([
  ['rejected', { code: 'rejected', message: 'Not you.' }, { code: 'rejected', message: 'Not you.' }],
  ['invalid_arguments with data', { code: 'invalid_arguments', message: 'No.', data: { field: 'a' } }, { code: 'invalid_arguments', data: { field: 'a' } }],
  ['another code', { code: 'quota_exceeded', message: 'Pay.', data: 1 }, { code: 'app_error', message: 'Pay.' }],
  ['a system error', { code: 'ENOENT', message: 'no such file' }, { code: 'app_error', message: 'no such file' }],
] as const)('a throw with the code %s', async ([, fields, expected], { server, connected, called }) => {
  server.addEventListener('error', () => undefined);
  server.register_plugin('a', 'b', () => { throw Object.assign(new Error(), fields); });
  const answer = await called(await connected(), 'a:b');
  expect(answer).toMatchObject(expected);
  if (expected.code === 'app_error') expect(answer).not.toHaveProperty('data');
});

test('what is thrown may be anything', async ({ server, connected, called }) => {
  const guest = await connected();
  server.addEventListener('error', () => undefined);
  let thrown: unknown;
  server.register_plugin('a', 'b', () => { throw thrown; });
  const messages = [];
  for (thrown of ['text', 5, null, undefined, { code: 'rejected', message: 5 }]) messages.push((await called(guest, 'a:b'))['message']);
  const none = 'Something that is no Error was thrown.';
  expect(messages).toEqual(['text', none, none, none, none]);
});

test('a message is cut to 256 bytes, at a character', async ({ server, connected, called }) => {
  server.addEventListener('error', () => undefined);
  server.register_plugin('a', 'b', () => { throw new Error('x' + 'ä'.repeat(200)); });
  const { message } = await called(await connected(), 'a:b');
  expect(message).toBe('x' + 'ä'.repeat(127));
});

const circle: Record<string, unknown> = { password: 'secret' };
circle['self'] = circle;
const HIDDEN = 'The function failed: why is told where it runs.';

test.for([
  ['answers with what JSON cannot carry', () => 5n, 'app_error', /JSON/],
  ['answers with a circle', () => circle, 'app_error', /circular/],
  ['answers with too much', () => 'x'.repeat(2_000_000), 'payload_too_large', /2000.* bytes/],
  ['gives its reply a bad name', (_data: unknown, context: Context): void => { context.outcome = ''; }, 'app_error', /named outcome/],
  ['reports a circle', (_data: unknown, { progress }: Context): void => { progress(circle); }, 'app_error', /circular/],
  ['reports too much', (_data: unknown, { progress }: Context): void => { progress('x'.repeat(2_000_000)); }, 'payload_too_large', /bytes/],
] as const)('a function that %s is told why, and its caller only that it failed', async ([, fn, code, reason], { server, connected, called, events }) => {
  const guest = await connected();
  server.register_plugin('a', 'b', fn);
  expect(await called(guest, 'a:b')).toEqual({ type: 'error', id: 'k1', code, message: HIDDEN, retryable: false });
  expect(events.filter(([type]) => type === 'error')).toMatchObject([['error', { code, message: expect.stringMatching(reason), about: 'a:b', error: expect.any(Error) }]]);
  guest.sends({ type: 'ping' });
  await guest.receives('pong'); // and no result behind the error
});

test("a function's own mistake with the SDK is no fault of its caller", async ({ server, connected, called, events }) => {
  server.register_plugin('a', 'b', () => server.publish('news', circle));
  expect(await called(await connected(), 'a:b')).toMatchObject({ code: 'app_error', message: HIDDEN });
  expect(events.find(([type, { about }]) => type === 'error' && about === 'a:b')).toMatchObject(['error', { message: expect.stringMatching(/circular/) }]);
});

test('nor is a mistake with another copy of an SDK', async ({ server, connected, called }) => {
  server.addEventListener('error', () => undefined);
  const { createClient } = (await import(new URL('../../gluer-js/dist/index.js', import.meta.url).href)) as { createClient: () => { setup(options: unknown): void } };
  server.register_plugin('a', 'b', () => { createClient().setup(circle); });
  expect(await called(await connected(), 'a:b')).toMatchObject({ code: 'app_error', message: HIDDEN });
});

test.for([['a circle', circle, 'app_error'], ['too much', 'x'.repeat(2_000_000), 'payload_too_large']] as const)(
  'the data of an error that is %s stays here, and its author is told', async ([, data, code], { server, connected, called, events }) => {
    server.register_plugin('a', 'b', () => { throw Object.assign(new Error('Not you.'), { code: 'rejected', data }); });
    expect(await called(await connected(), 'a:b')).toEqual({ type: 'error', id: 'k1', code: 'rejected', message: 'Not you.', retryable: false });
    expect(events.at(-1)).toMatchObject(['error', { code, about: 'a:b' }]);
  });

test('a report that cannot be sent ends the call, also from a timer, and fires the signal', async ({ server, connected, called }) => {
  server.addEventListener('error', () => undefined);
  let aborted = false;
  server.register_plugin('a', 'b', (_data, { progress, signal }) => new Promise(() => {
    signal.addEventListener('abort', () => { aborted = true; });
    setTimeout(progress, 1, circle);
  }));
  expect(await called(await connected(), 'a:b')).toMatchObject({ code: 'app_error', message: HIDDEN });
  expect(aborted).toBe(true);
});

test('cancel fires the signal, and the late answer stays here', async ({ server, connected }) => {
  const guest = await connected();
  let ended: unknown;
  server.register_plugin('a', 'slow', (_data, { signal }) => new Promise((resolve) => {
    signal.addEventListener('abort', () => { ended = signal.reason; resolve('late'); });
  }));
  await guest.receives('register');
  guest.sends({ type: 'call', id: 'k1', cmd: 'a:slow', data: {}, timeout: 1, header: {} });
  guest.sends({ type: 'cancel', id: 'k1' });
  guest.sends({ type: 'cancel', id: 'unknown' });
  await until('the abort', () => ended !== undefined);
  expect(ended).toMatchObject({ code: 'cancelled' });
  server.send('a:b');
  await guest.receives('send');
});

test('a connection that ends fires the signals, and no answer crosses to the next one', async ({ relay, server, connected }) => {
  let answer: (data: unknown) => void = () => undefined;
  let aborted = false;
  server.register_plugin('a', 'slow', (_data, { signal }) => {
    signal.addEventListener('abort', () => { aborted = true; });
    return new Promise((resolve) => { answer = resolve; });
  });
  const guest = await connected();
  await guest.receives('register');
  guest.sends({ type: 'call', id: 'k1', cmd: 'a:slow', data: {}, timeout: 1, header: {} });
  await new Promise((resolve) => setTimeout(resolve, 20));
  guest.vanishes();
  const next = await relay.welcomes();
  expect(aborted).toBe(true);
  await next.receives('register');
  answer('for the old one');
  next.sends({ type: 'ping' });
  await next.receives('pong');
});

test('a slow call does not hold up the next', async ({ server, connected, called }) => {
  server.register_plugin('a', 'slow', () => new Promise(() => undefined));
  server.register_plugin('a', 'fast', () => 'quick');
  const guest = await connected();
  guest.sends({ type: 'call', id: 'slow', cmd: 'a:slow', data: {}, timeout: 1, header: {} });
  expect(await called(guest, 'a:fast')).toMatchObject({ data: 'quick' });
});

test('functions start in the order of their calls', async ({ server, connected }) => {
  const seen: unknown[] = [];
  server.register_plugin('a', 'b', (data) => void seen.push(data));
  const guest = await connected();
  for (let n = 0; n < 100; n++) guest.sends({ type: 'call', id: `k${String(n)}`, cmd: 'a:b', data: n, timeout: 1, header: {} });
  await until('all calls', () => seen.length === 100);
  expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n));
});

test('a send runs the function and answers nothing, whatever it does', async ({ server, connected, events }) => {
  const guest = await connected();
  server.register_plugin('log', 'write', (_data, { progress }) => { progress(1); return 'unheard'; });
  server.register_plugin('log', 'fail', () => { throw new Error('mine'); });
  await guest.receives('register');
  guest.sends({ type: 'send', cmd: 'log:write', data: 1, header: {} });
  guest.sends({ type: 'send', cmd: 'log:fail', data: 1, header: {} });
  await until('the error', () => events.some(([type]) => type === 'error'));
  guest.sends({ type: 'ping' });
  await guest.receives('pong');
});

test('a call of a function that is not here is answered', async ({ server, connected, called }) => {
  server.addEventListener('error', () => undefined);
  expect(await called(await connected(), 'no:where')).toMatchObject({ type: 'error', code: 'app_error', message: expect.stringContaining('no:where') });
});

test('register_object registers own and inherited methods, bound to the object', async ({ server, connected, called }) => {
  class Base { hello(): string { return `hello ${this.name}`; } name = 'base'; }
  class Greeter extends Base { override name = 'Ada'; bye = (): string => `bye ${this.name}`; _private(): void { /* not registered */ } get trap(): never { throw new Error('a getter was run'); } }
  server.register_object('greeter', new Greeter());
  const guest = await connected();
  const names = ((await guest.receives('register'))['functions'] as Fields[]).map(({ name }) => name as string).sort();
  expect(names).toEqual(['greeter:bye', 'greeter:hello']);
  expect(await called(guest, 'greeter:hello')).toMatchObject({ data: 'hello Ada' });
});

test('mistakes in registering are thrown at once', ({ server }) => {
  expect(() => server.register_plugin('a', 'b', 'no function' as never)).toThrow(/needs a function/);
  expect(() => server.register_plugin('a:b', 'c', () => 1)).toThrow(/colon/);
  expect(() => server.register_plugin('a', '', () => 1)).toThrow(/function name/);
  expect(() => server.register_plugin('a', 'x'.repeat(127), () => 1)).toThrow(/128/);
  expect(() => server.register_object('a', {})).toThrow(/no methods/);
  expect(() => server.register_object('a', null as never)).toThrow(/object/);
});

test('functions are bounded', ({ server }) => {
  for (let n = 0; n < 2_000; n++) server.register_plugin('p', `f${String(n)}`, () => n);
  expect(() => server.register_plugin('p', 'one more', () => 1)).toThrow(/split/);
});

test('a refused registration is the error event', async ({ server, connected, events }) => {
  const guest = await connected();
  server.register_plugin('a', 'b', () => 1);
  guest.errors(await guest.receives('register'), 'bad_frame');
  await until('the error', () => events.length > 1);
  expect(events[1]![1]).toMatchObject({ code: 'bad_frame', about: { type: 'register', functions: [{ name: 'a:b' }] } });
});

test('an error that nobody listens to is printed with what was thrown', async ({ server, connected, called }) => {
  const shown = vi.spyOn(console, 'error').mockReturnValue();
  const thrown = new Error('mine');
  server.register_plugin('a', 'b', () => { throw thrown; });
  await called(await connected(), 'a:b');
  expect(shown.mock.calls).toEqual([['gluer: app_error: mine', 'a:b', thrown]]);
});

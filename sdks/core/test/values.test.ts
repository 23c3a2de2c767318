import { afterEach, expect, test, vi } from 'vitest';
import { callAddress, checkUrl, socketAddress, urlOfEnvironment } from '../src/address.ts';
import { errorFrom, GluerError, messageOf } from '../src/errors.ts';
import { bytesOver, decode, encode, welcomeOf } from '../src/frames.ts';
import { BACKEND, FRONTEND, projectOf } from '../src/keys.ts';
import { checkChannel, checkName } from '../src/names.ts';
import { checkSession, isGuessable, newSession } from '../src/session.ts';
import { PRIVATE_KEY, PUBLIC_KEY } from './fake_relay.ts';

afterEach(() => vi.unstubAllEnvs());

test('a key names its project', () => {
  expect(projectOf(PUBLIC_KEY, FRONTEND)).toBe('abcdefghijkl');
  expect(projectOf(PRIVATE_KEY, BACKEND)).toBe('abcdefghijkl');
});

test('the other kind of key is refused with what to do, and is not shown', () => {
  const front = thrown(() => projectOf(PRIVATE_KEY, FRONTEND));
  const back = thrown(() => projectOf(PUBLIC_KEY, BACKEND));
  expect(front).toMatchObject({ code: 'invalid_arguments', message: expect.stringMatching(/private key.*revoke it.*public key/) });
  expect(back).toMatchObject({ code: 'invalid_arguments', message: expect.stringMatching(/public key.*copy it from the project's page/) });
  expect(`${front.message} ${back.message}`).not.toMatch(/gluer_\w+_\w+_/);
});

test.each(['YOUR_PUBLIC_KEY', '', undefined, null, 5, 'gluer_pub_x', 'gluer_pub_a_b_c'])('%j is no key', (key) => {
  expect(() => projectOf(key, FRONTEND)).toThrow(/public key/);
});

test('addresses are made of the URL, by WebSocket and by HTTP', () => {
  expect(socketAddress('https://h:1/x', 'p')).toBe('wss://h:1/x/v1/ws/p');
  expect(socketAddress('ws://h', 'p')).toBe('ws://h/v1/ws/p');
  expect(callAddress('wss://h', 'a:b c/d')).toBe('https://h/v1/call/a%3Ab%20c%2Fd');
  expect(checkUrl('ws://h:8000/')).toBe('ws://h:8000');
});

test.each(['h:8000', 'ftp://h', 'wss://h?key=1', 'wss://me:secret@h', 'ws://:secret@h', 'ftp://me:secret@h', '', undefined])('%j is no URL of a relay', (url) => {
  expect(() => checkUrl(url)).toThrow(/^(?!.*secret).*wss:\/\/ws\.gluer\.io/);
});

test('the environment may name the URL', () => {
  vi.stubEnv('GLUER_URL', 'ws://h');
  expect(urlOfEnvironment()).toBe('ws://h');
  vi.stubEnv('GLUER_URL', '');
  expect(urlOfEnvironment()).toBeUndefined();
});

test('a session id is 128 random bits', () => {
  expect(newSession()).toMatch(/^[0-9a-f]{32}$/);
  expect(newSession()).not.toBe(newSession());
});

test.each(['short', 'x'.repeat(129), '$gluer-0123456789', 5])('%j is no session id', (id) => {
  expect(() => checkSession(id)).toThrow(/16 to 128/);
});

test.each(['your-unique-session', 'your-unique-session-id', 'YOUR_UNIQUE_SESSION', 'your_session_id_here'])('the placeholder %s is no session id', (id) => {
  expect(() => checkSession(id)).toThrow(/placeholder.*leave it out/);
});

test('short ids, and those of few characters, can be guessed', () => {
  for (const id of ['a'.repeat(128), 'abcabcabcabcabcabc', 'session-of-a-shop', '0123456789012345']) expect(isGuessable(id), id).toBe(true);
  for (const id of [newSession(), crypto.randomUUID(), 'V1StGXR8_Z5jdHi6B-myT']) expect(isGuessable(id), id).toBe(false);
});

test('names have 1 to 128 characters, none of them unseen or half a pair', () => {
  expect(checkName('name', '\u{1F600}'.repeat(128))).toHaveLength(256);
  for (const name of ['', 'x'.repeat(129), 'a\u0007', 'a\uD800', '\u202ea', 'a\u200b', 5]) expect(() => checkName('name', name)).toThrow(GluerError);
  expect(() => checkChannel('$gluer.x')).toThrow(/reserved/);
});

test('a frame has its type first, and its data as it was encoded', () => {
  expect(encode({ type: 'call', id: '1' }, '[1]')).toBe('{"type":"call","id":"1","data":[1]}');
  expect(encode({ type: 'pong' })).toBe('{"type":"pong"}');
});

test('what is no frame is none', () => {
  for (const text of ['', '[]', 'null', '{"type":5}', '{}', '{"type":"x"']) expect(decode(text)).toBeUndefined();
});

test('bytes are counted, not characters', () => {
  expect(bytesOver('ä'.repeat(10), 20)).toBeUndefined();
  expect(bytesOver('ä'.repeat(10), 19)).toBe(20);
});

test('a welcome without its fields gets the defaults', () => {
  expect(welcomeOf({ type: 'welcome' })).toMatchObject({ ping: 25, limits: { frame: 1_048_576 } });
  expect(welcomeOf({ type: 'welcome', ping: 1e9 }).ping).toBe(600);
});

test('an error has the fields of its frame, and the defaults of its code', () => {
  expect(errorFrom({ code: 'server_busy', retry_after: 5, data: [1] })).toMatchObject({ name: 'GluerError', retryable: true, retry_after: 5, data: [1] });
  expect(errorFrom({ code: 'server_busy', message: 'No.', retryable: false })).toMatchObject({ message: 'No.', retryable: false });
  expect(errorFrom({ detail: 'Broken.' })).toMatchObject({ code: 'app_error', message: 'Broken.' });
  expect(new GluerError('rejected')).toBeInstanceOf(Error);
});

test('whatever is thrown has a sentence', () => {
  expect([new Error('a'), new TypeError(), 'b', 5].map(messageOf)).toEqual(['a', 'TypeError', 'b', 'Something that is no Error was thrown.']);
});

function thrown(run: () => unknown): GluerError {
  try {
    run();
  } catch (error) {
    return error as GluerError;
  }
  throw new Error('nothing was thrown');
}

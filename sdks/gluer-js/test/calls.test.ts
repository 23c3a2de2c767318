import { afterEach, beforeEach, expect, test } from 'vitest';
import WebSocket from 'ws';
import { FakeRelay, PUBLIC_KEY, type Guest } from '../../core/test/fake_relay.ts';
import { GluerClient } from '../src/client.ts';
import { TabSessions } from '../src/tab_sessions.ts';

let relay: FakeRelay;
let client: GluerClient;
let guest: Guest;

beforeEach(async () => {
  relay = await FakeRelay.start();
  client = new GluerClient(new TabSessions({}), { backoff: { least: 5, most: 20 }, stable: 0 });
  client.setup({ project: PUBLIC_KEY, url: relay.url, WebSocket });
});

afterEach(async () => {
  client.disconnect();
  await relay.stop();
});

async function connected(): Promise<void> {
  const standing = client.connect();
  guest = await relay.welcomes();
  await standing;
}

test('a call is answered by the result of its id', async () => {
  await connected();
  const sum = client.sendMsgSync('calculator:add', { a: 5, b: 3 });
  const call = await guest.receives('call');
  expect(call).toMatchObject({ cmd: 'calculator:add', data: { a: 5, b: 3 }, timeout: 30_000 });
  guest.results(call, { result: 8 });
  expect(await sum).toEqual({ data: { result: 8 } });
});

// A front end and its relay, for one test.
import { test as base } from 'vitest';
import WebSocket from 'ws';
import type { Timing } from '../../core/src/timing.ts';
import { FakeRelay, PUBLIC_KEY, type Fields, type Guest } from '../../core/test/fake_relay.ts';
import { GluerClient } from '../src/client.ts';
import { TabSessions } from '../src/tab_sessions.ts';

/** Short times: what takes seconds in the field takes milliseconds here. */
export const FAST: Partial<Timing> = { backoff: { first: 5, most: 20 }, stable: 0 };

export interface FrontEnd {
  relay: FakeRelay;
  client: GluerClient;
  /** Everything the client's listeners got: [type, detail]. */
  events: [string, Fields][];
  /** Connects, and returns the relay's side. */
  connected(): Promise<Guest & { hello: Fields }>;
}

export function makeClient(relay: FakeRelay, timing: Partial<Timing> = FAST): GluerClient {
  const client = new GluerClient(new TabSessions({}), timing);
  client.setup({ project: PUBLIC_KEY, url: relay.url, WebSocket });
  return client;
}

export const test = base.extend<FrontEnd>({
   
  relay: async ({}, use) => {
    const relay = await FakeRelay.start();
    await use(relay);
    await relay.stop();
  },
  client: async ({ relay }, use) => {
    const client = makeClient(relay);
    await use(client);
    client.disconnect();
  },
  events: async ({ client }, use) => {
    const events: [string, Fields][] = [];
    for (const type of ['connection', 'disconnect', 'error'] as const)
      client.addEventListener(type, (event) => events.push([event.type, event.detail]));
    await use(events);
  },
  connected: async ({ relay, client }, use) => {
    await use(async () => {
      const standing = client.connect();
      const guest = await relay.welcomes();
      await standing;
      return guest;
    });
  },
});

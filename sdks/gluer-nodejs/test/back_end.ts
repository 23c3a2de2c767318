// A back end and its relay, for one test.
import { test as base } from 'vitest';
import type { Timing } from '../../core/src/timing.ts';
import { FakeRelay, PRIVATE_KEY, type Fields, type Guest } from '../../core/test/fake_relay.ts';
import { GluerServer } from '../src/client.ts';

/** Short times: what takes seconds in the field takes milliseconds here. */
export const FAST: Partial<Timing> = { backoff: { first: 5, most: 20 }, stable: 0 };

export interface BackEnd {
  relay: FakeRelay;
  server: GluerServer;
  /** Everything the server's listeners got: [type, detail]. */
  events: [string, Fields][];
  /** Connects, and returns the relay's side. */
  connected(): Promise<Guest & { hello: Fields }>;
  /** Lets the relay call a function; resolves to the frame that answers. */
  called(guest: Guest, cmd: string, data?: unknown, header?: Fields): Promise<Fields>;
}

export const test = base.extend<BackEnd>({
  relay: async ({}, use) => {
    const relay = await FakeRelay.start();
    await use(relay);
    await relay.stop();
  },
  server: async ({ relay }, use) => {
    const server = new GluerServer(FAST);
    server.set_websocket_url(relay.url);
    await use(server);
    await server.disconnect({ drain: false });
  },
  events: async ({ server }, use) => {
    const events: [string, Fields][] = [];
    for (const type of ['connection', 'disconnect', 'error'] as const)
      server.addEventListener(type, (event) => events.push([event.type, event.detail]));
    await use(events);
  },
  connected: async ({ relay, server }, use) => {
    await use(async () => {
      const standing = server.connect(PRIVATE_KEY);
      const guest = await relay.welcomes();
      await standing;
      return guest;
    });
  },
  called: async ({}, use) => {
    let count = 0;
    await use(async (guest, cmd, data = {}, header = {}) => {
      guest.sends({ type: 'call', id: `k${String(++count)}`, cmd, data, timeout: 30_000, header });
      for (;;) {
        const frame = await guest.receives();
        if (frame['type'] !== 'register') return frame;
      }
    });
  },
});

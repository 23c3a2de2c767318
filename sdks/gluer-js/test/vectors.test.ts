import { test } from 'vitest';
import WebSocket from 'ws';
import { callOptions, type CallOptions } from '../../core/src/requests.ts';
import type { FakeRelay, Fields } from '../../core/test/fake_relay.ts';
import { handlerOf, play, scenarios, type Driver } from '../../core/test/vectors.ts';
import { GluerClient } from '../src/client.ts';
import { TabSessions } from '../src/tab_sessions.ts';

/** Performs the vectors' methods on a client. */
class FrontEnd implements Driver {
  readonly events: unknown[][] = [];
  readonly #client = new GluerClient(new TabSessions({}));
  #cancel = new AbortController();

  constructor(relay: FakeRelay) {
    this.#client.setup({ url: relay.url, WebSocket });
    this.#client.addEventListener('error', ({ detail }) => this.events.push(['error', detail]));
  }

  perform(method: string, args: unknown[]): unknown {
    if (method === 'connect') return this.#connect(args[0] as string);
    if (method === 'subscribe') return this.#client.subscribe(args[0] as string, (data, { channel }) => this.events.push(['message', channel, data]));
    if (method === 'sendMsgSync') return this.#call(args as [string, unknown, (number | CallOptions)?]);
    if (method === 'on') return this.#client.on(args[0] as string, handlerOf(this.events, args[0] as string, args[1] as Fields));
    if (method === 'cancel') return this.#cancel.abort();
    return (this.#client[method as 'sendMsg'] as (...args: unknown[]) => unknown).apply(this.#client, args);
  }

  disconnect(): void {
    this.#client.disconnect();
  }

  #connect(project: string): Promise<unknown> {
    this.#client.setup({ project });
    return this.#client.connect();
  }

  #call([cmd, data, timeout]: [string, unknown, (number | CallOptions)?]): Promise<unknown> {
    this.#cancel = new AbortController();
    return this.#client.sendMsgSync(cmd, data, { ...callOptions(timeout), signal: this.#cancel.signal, onProgress: (each) => this.events.push(['progress', each]) });
  }
}

test.each(scenarios('frontend'))('%s', async (_title, scenario, peer) => {
  await play(scenario, peer, (relay) => new FrontEnd(relay));
});

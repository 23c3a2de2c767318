import { test } from 'vitest';
import type { FakeRelay, Fields } from '../../core/test/fake_relay.ts';
import { play, scenarios, type Driver } from '../../core/test/vectors.ts';
import { GluerServer } from '../src/client.ts';
import type { Context, Handler } from '../src/context.ts';

/** Performs the vectors' methods on a back end. */
class BackEnd implements Driver {
  readonly events: unknown[][] = [];
  readonly #server = new GluerServer();

  constructor(relay: FakeRelay) {
    this.#server.set_websocket_url(relay.url);
    this.#server.addEventListener('error', ({ detail }) => this.events.push(['error', detail]));
  }

  perform(method: string, args: unknown[]): unknown {
    if (method === 'subscribe') return this.#server.subscribe(args[0] as string, (data, { channel }) => this.events.push(['message', channel, data]));
    if (method === 'register_plugin') return this.#register(args as [string, string, Fields]);
    if (method === 'register_object') return this.#registerObject(args as [string, Record<string, Fields>]);
    if (method === 'register_interceptor') return this.#server.register_interceptor(args[0] as string, () => (args[1] as Fields)['returns'] as unknown);
    return (this.#server[method as 'send'] as (...args: unknown[]) => unknown).apply(this.#server, args);
  }

  disconnect(): void {
    this.#server.disconnect();
  }

  #register([plugin, name, does]: [string, string, Fields]): void {
    this.#server.register_plugin(plugin, name, this.#handler(`${plugin}:${name}`, does));
  }

  #registerObject([plugin, methods]: [string, Record<string, Fields>]): void {
    this.#server.register_object(plugin, Object.fromEntries(Object.entries(methods).map(([name, does]) => [name, this.#handler(`${plugin}:${name}`, does)])));
  }

  /** A function that does what the vector says. */
  #handler(cmd: string, does: Fields): Handler {
    return (data: unknown, context: Context): unknown => {
      this.events.push(['called', cmd, data]);
      context.signal.addEventListener('abort', () => this.events.push(['aborted', cmd]));
      for (const each of (does['progress'] ?? []) as unknown[]) context.progress(each);
      if (does['throws']) throw Object.assign(new Error(), does['throws']);
      if (does['waits']) return new Promise(() => undefined);
      if (does['outcome']) context.outcome = does['outcome'] as string;
      return does['returns'];
    };
  }
}

test.each(scenarios('backend'))('%s', async (_title, scenario, peer) => {
  await play(scenario, peer, (relay) => new BackEnd(relay));
});

import { test } from 'vitest';
import type { FakeRelay, Fields } from '../../core/test/fake_relay.ts';
import { handlerOf, play, scenarios, type Driver } from '../../core/test/vectors.ts';
import { GluerServer } from '../src/client.ts';
import type { FunctionOptions } from '../src/function_options.ts';
import type { ServerCallOptions } from '../src/target.ts';

/** Performs the vectors' methods on a back end. */
class BackEnd implements Driver {
  readonly events: unknown[][] = [];
  readonly #server = new GluerServer();
  #cancel = new AbortController();

  constructor(relay: FakeRelay) {
    this.#server.set_websocket_url(relay.url);
    this.#server.addEventListener('error', ({ detail }) => this.events.push(['error', detail]));
  }

  perform(method: string, args: unknown[]): unknown {
    if (method === 'subscribe') return this.#server.subscribe(args[0] as string, (data, { channel }) => this.events.push(['message', channel, data]));
    if (method === 'register_plugin') return this.#register(args as [string, string, Fields, FunctionOptions?]);
    if (method === 'register_object') return this.#registerObject(args as [string, Record<string, Fields>]);
    if (method === 'register_interceptor') return this.#server.register_interceptor(args[0] as string, () => (args[1] as Fields)['returns'] as unknown);
    if (method === 'call') return this.#call(args as [string, unknown, ServerCallOptions?]);
    if (method === 'cancel') return this.#cancel.abort();
    return (this.#server[method as 'send'] as (...args: unknown[]) => unknown).apply(this.#server, args);
  }

  disconnect(): void {
    void this.#server.disconnect({ drain: false });
  }

  #call([cmd, data, options]: [string, unknown, ServerCallOptions?]): Promise<unknown> {
    this.#cancel = new AbortController();
    return this.#server.call(cmd, data, { ...options, signal: this.#cancel.signal, onProgress: (each) => this.events.push(['progress', each]) });
  }

  #register([plugin, name, does, options]: [string, string, Fields, FunctionOptions?]): void {
    this.#server.register_plugin(plugin, name, handlerOf(this.events, `${plugin}:${name}`, does), options);
  }

  #registerObject([plugin, methods]: [string, Record<string, Fields>]): void {
    this.#server.register_object(plugin, Object.fromEntries(Object.entries(methods).map(([name, does]) => [name, handlerOf(this.events, `${plugin}:${name}`, does)])));
  }
}

test.each(scenarios('backend'))('%s', async (_title, scenario, peer) => {
  await play(scenario, peer, (relay) => new BackEnd(relay));
});

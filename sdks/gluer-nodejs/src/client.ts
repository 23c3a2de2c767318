import { hostname } from 'node:os';
import { checkUrl } from '../../core/src/address.ts';
import type { ConnectionState } from '../../core/src/connection.ts';
import { GluerError, mistake } from '../../core/src/errors.ts';
import type { EventName, Listener } from '../../core/src/events.ts';
import { payload, type Welcome } from '../../core/src/frames.ts';
import { projectOf } from '../../core/src/keys.ts';
import { checkChannel, checkName } from '../../core/src/names.ts';
import { Peer } from '../../core/src/peer.ts';
import type { CallOptions, Reply } from '../../core/src/requests.ts';
import { Roster } from '../../core/src/roster.ts';
import { newSession } from '../../core/src/session.ts';
import type { MessageHandler } from '../../core/src/subscriptions.ts';
import type { Timing } from '../../core/src/timing.ts';
import { version } from '../package.json';
import { Callee } from './callee.ts';
import type { Handler } from './context.ts';
import { readPlugins } from './directory.ts';
import { Functions } from './functions.ts';
import { Interceptors, type Interceptor } from './interceptors.ts';
import { Socket } from './socket.ts';

/** What connect() takes beside the key. */
export interface ConnectOptions {
  /** The relay's URL (ws, wss, http or https). Default: GLUER_URL of the environment, or `wss://ws.gluer.io`. */
  url?: string | undefined;
  /** The project's password, when the project asks back ends for it. Default: none. */
  password?: string | undefined;
  /** This server's name in the dashboard. Default: the machine's host name. */
  name?: string | undefined;
}

/** What became of a publish. */
export interface PublishResult {
  /** How many subscribers it went to, as far as the relay knows. */
  readonly receivers: number;
}

/** A back end: registers functions, and may call, send, publish and subscribe as well. */
export class GluerServer {
  readonly #peer: Peer;
  readonly #functions: Functions;
  readonly #interceptors = new Interceptors();
  readonly #callee: Callee;
  readonly #session = newSession();

  /** @internal Programs use createClient(). */
  constructor(timing?: Partial<Timing>) {
    const peer = new Peer({
      kind: 'backend',
      sdk: `gluer-nodejs/${version}`,
      timing,
      webSocket: () => Socket,
      session: () => this.#session,
      received: (frame) => { this.#callee.received(frame); },
      ended: () => { this.#callee.abandon(); },
    });
    const named = (type: string) => (names: string[]) => ({ type, functions: names.map((name) => ({ name })) });
    this.#peer = peer;
    this.#functions = new Functions(peer.enroll(new Roster(peer.rosterPorts(), named('register'), named('unregister'))));
    this.#callee = new Callee({
      get frameLimit() { return peer.requests.frameLimit; },
      write: (text) => { peer.connection.write(text); },
      failed: (error, cmd, thrown) => { peer.complain(error, cmd, thrown); },
    }, this.#functions, this.#interceptors);
  }

  /** Where the connection stands: `disconnected`, `connecting`, `connected` or `reconnecting`. */
  get state(): ConnectionState {
    return this.#peer.state;
  }

  /**
   * Connects, and comes back by itself (GP-3). Resolves at the welcome; rejects only when trying again cannot help.
   * Nobody has to wait for it. The process lives until disconnect(). Raises `invalid_arguments` for what is no private key.
   */
  connect(private_key: string, { url, password, name }: ConnectOptions = {}): Promise<Welcome> {
    const { settings, state } = this.#peer;
    projectOf(private_key, 'backend');
    if (url !== undefined) checkUrl(url);
    if (name !== undefined) checkName('server name', name);
    if (state !== 'disconnected' && settings.key !== private_key)
      throw mistake('This back end is connected with another key: call disconnect() first, or use createClient().');
    Object.assign(settings, { key: private_key, name: name ?? settings.name ?? hostname() });
    if (url !== undefined) settings.url = url;
    if (password !== undefined) settings.password = password;
    return this.#peer.connect();
  }

  /** Ends the connection and lets the process exit; requests without an outcome reject with `connection_lost`. Registrations stay. */
  disconnect(): void {
    this.#peer.disconnect();
  }

  /** Says where the relay is; holds from the next connection on, and for connect() in the same turn. */
  set_websocket_url(url: string): void {
    checkUrl(url);
    this.#peer.settings.url = url;
  }

  /** Lets front ends call `fn` as `plugin:name`; before or after connect(). The same name again replaces the function. */
  register_plugin(plugin: string, name: string, fn: Handler): void {
    this.#functions.add(plugin, name, fn);
  }

  /** Registers an object's methods, its class's too, except those that begin with an underscore. */
  register_object(plugin: string, obj: object): void {
    this.#functions.addObject(plugin, obj);
  }

  /**
   * Registers what the directory's `*_plugin.js` and `*_plugin.mjs` files export: `plugin`, its name, and functions.
   * Resolves to the registered names. Rejects, and registers nothing, when a file fails: the message names it.
   */
  async register_directory(dir: string | URL): Promise<string[]> {
    const plugins = await readPlugins(dir);
    return plugins.flatMap(({ plugin, handlers }) => handlers.map(([name, handler]) => this.#functions.add(plugin, name, handler)));
  }

  /** Puts a function before all functions of a plugin; a second one takes the first one's place. */
  register_interceptor(plugin: string, fn: Interceptor): void {
    this.#interceptors.set(plugin, fn);
  }

  /** Takes the plugin's interceptor away, and says whether there was one. */
  clear_interceptor(plugin: string): boolean {
    return this.#interceptors.clear(plugin);
  }

  get_interceptor(plugin: string): Interceptor | undefined {
    return this.#interceptors.get(plugin);
  }

  /** Publishes to a channel. Ignoring the promise is fine: a failure raises the `error` event too. */
  publish(channel: string, data: unknown): Promise<PublishResult> {
    const published = this.#publish(channel, data);
    published.catch((error: unknown) => { this.#peer.complain(error as GluerError, { type: 'publish', channel }); });
    return published;
  }

  /** Calls a function, of this back end or another one. `timeout`: ms, default 30 000 (or options). Rejects with a GluerError. */
  async call<T = any>(cmd: string, data: unknown = {}, timeout?: number | CallOptions): Promise<Reply<T>> { // eslint-disable-line @typescript-eslint/no-explicit-any -- the function's own type, which only the program knows
    return (await this.#peer.call(cmd, data, timeout)) as Reply<T>;
  }

  /** Sends data to a function; there is no answer. A refusal raises the `error` event. */
  send(cmd: string, data: unknown = {}): void {
    this.#peer.send(cmd, data);
  }

  /** Listens to one channel or several, across reconnects; the returned function ends it. */
  subscribe(channels: string | readonly string[], handler: MessageHandler): () => void {
    return this.#peer.subscriptions.subscribe(channels, handler);
  }

  /** Takes a handler away from channels, or all handlers. */
  unsubscribe(channels: string | readonly string[], handler?: MessageHandler): void {
    this.#peer.subscriptions.unsubscribe(channels, handler);
  }

  /** Listens to `connection`, `disconnect` or `error`; the listener gets an event with `detail`. */
  addEventListener<Name extends EventName>(type: Name, listener: Listener<Name>): void {
    this.#peer.events.add(type, listener);
  }

  removeEventListener<Name extends EventName>(type: Name, listener: Listener<Name>): void {
    this.#peer.events.remove(type, listener);
  }

  async #publish(channel: string, data: unknown): Promise<PublishResult> {
    const head = { type: 'publish', channel: checkChannel(channel) };
    return (await this.#peer.request(head, payload(data))).data as PublishResult;
  }
}

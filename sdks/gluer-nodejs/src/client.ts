import { hostname } from 'node:os';
import { checkUrl } from '../../core/src/address.ts';
import type { ConnectionState } from '../../core/src/connection.ts';
import type { Context, Handler } from '../../core/src/context.ts';
import { GluerError, mistake } from '../../core/src/errors.ts';
import type { EventName, Listener } from '../../core/src/events.ts';
import { isRecord, type Welcome } from '../../core/src/frames.ts';
import { payload } from '../../core/src/json.ts';
import { BACKEND, projectOf } from '../../core/src/keys.ts';
import { checkChannel, checkName } from '../../core/src/names.ts';
import { optionsOf, type OptionTypes } from '../../core/src/options.ts';
import { Peer } from '../../core/src/peer.ts';
import { withProgress, type Call } from '../../core/src/progress.ts';
import type { CallOptions, Reply } from '../../core/src/requests.ts';
import { Roster } from '../../core/src/roster.ts';
import { newSession } from '../../core/src/session.ts';
import type { MessageHandler } from '../../core/src/subscriptions.ts';
import type { UrlLike } from '../../core/src/platform.ts';
import type { Timing } from '../../core/src/timing.ts';
import { version } from '../package.json';
import { readPlugins } from './directory.ts';
import { Drain, drainTime, type DisconnectOptions } from './drain.ts';
import type { FunctionOptions, OptionsByName } from './function_options.ts';
import { Functions } from './functions.ts';
import { intercept, Interceptors, type Interceptor } from './interceptors.ts';
import { leaveOnSignal } from './signals.ts';
import { Socket } from './socket.ts';
import { targetFields, type SendOptions, type ServerCallOptions } from './target.ts';

/** What connect() takes beside the key. */
export interface ConnectOptions {
  /** The relay's URL (ws, wss, http or https). Default: GLUER_URL of the environment, or `wss://ws.gluer.io`. */
  url?: string | undefined;
  /** The project's password, when the project asks back ends for it. Default: none. */
  password?: string | undefined;
  /** This server's name in the dashboard. Default: the machine's host name. */
  name?: string | undefined;
  /** Whether SIGTERM and SIGINT are to drain and disconnect before they end the process. Default: false. */
  drainOnSignal?: boolean | undefined;
}

const CONNECT: OptionTypes<ConnectOptions> = { url: '', password: 'string', name: '', drainOnSignal: 'boolean' };
const DISCONNECT: OptionTypes<DisconnectOptions> = { drain: 'boolean', timeout: '' };
const SEND: OptionTypes<SendOptions> = { to: '' };

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
  readonly #session = newSession();
  #drain: Drain | undefined;
  #ignoreSignals: (() => void) | undefined;

  /** @internal Programs use createClient(). */
  constructor(timing?: Partial<Timing>) {
    const peer = new Peer({
      kind: BACKEND,
      sdk: `gluer-nodejs/${version}`,
      timing,
      webSocket: () => Socket,
      session: () => this.#session,
      perform: (cmd, data, context) => this.#perform(cmd, data, context),
      ended: () => { this.#drain?.cut(); },
    });
    this.#peer = peer;
    this.#functions = new Functions((describe) => {
      const frame = (type: string) => (names: string[]) => ({ type, functions: names.map(describe) });
      return peer.enroll(new Roster(peer.rosterPorts(), frame('register'), frame('unregister')));
    });
  }

  /** Where the connection stands: `disconnected`, `connecting`, `connected` or `reconnecting`. */
  get state(): ConnectionState {
    return this.#peer.state;
  }

  /**
   * Connects, and comes back by itself (GP-3). Resolves at the welcome; rejects only when trying again cannot help.
   * Nobody has to wait for it. The process lives until disconnect(); a drain that runs is cut short.
   * Raises `invalid_arguments` for what is no private key, and for a wrong or unknown option.
   */
  connect(private_key: string, options: ConnectOptions = {}): Promise<Welcome> {
    const { url, password, name, drainOnSignal } = optionsOf('connect()', options, CONNECT);
    projectOf(private_key, BACKEND);
    if (url !== undefined) checkUrl(url);
    if (name !== undefined) checkName('server name', name);
    if (this.#drain) this.#leave();
    const { settings, state } = this.#peer;
    if (state !== 'disconnected' && settings.key !== private_key)
      throw mistake('This back end is connected with another key: call disconnect() first, or use createClient().');
    Object.assign(settings, { key: private_key, name: name ?? settings.name ?? hostname() });
    if (url !== undefined) settings.url = url;
    if (password !== undefined) settings.password = password;
    const standing = this.#peer.connect();
    if (drainOnSignal) this.#ignoreSignals ??= leaveOnSignal(() => this.disconnect());
    return standing;
  }

  /**
   * Leaves without losing a call (GP-59): new ones go elsewhere, those in flight finish, for 20 s at most (`timeout`, ms).
   * Then ends the connection and lets the process exit; own requests without an outcome reject with `connection_lost`.
   * With `{drain: false}` at once. Resolves when the connection has ended. Registrations stay for the next connect().
   */
  async disconnect(options: DisconnectOptions = {}): Promise<void> {
    const { drain = true, timeout } = optionsOf('disconnect()', options, DISCONNECT);
    const longest = drainTime(timeout);
    if (drain && this.state === 'connected') {
      const started = (this.#drain ??= this.#startDrain(longest));
      await started.done;
      if (this.#drain !== started) return; // cut short, and maybe connected anew
    }
    this.#leave();
  }

  /** Says where the relay is; holds from the next connection on, and for connect() in the same turn. */
  set_websocket_url(url: string): void {
    checkUrl(url);
    this.#peer.settings.url = url;
  }

  /** Lets front ends call `fn` as `plugin:name`; before or after connect(). The same name again replaces the function. */
  register_plugin(plugin: string, name: string, fn: Handler, options?: FunctionOptions): void {
    this.#functions.add(plugin, name, fn, options);
  }

  /**
   * Registers the methods that the program wrote: the object's own and those of its classes, up to the first one of the
   * language or of Node, and none whose name begins with an underscore. Options are by method name.
   */
  register_object(plugin: string, obj: object, options?: OptionsByName): void {
    this.#functions.addObject(plugin, obj, options);
  }

  /**
   * Registers what the directory's `*_plugin.js` and `*_plugin.mjs` files export: `plugin`, its name, functions, and
   * `options` by function name, where there are some.
   * Resolves to the registered names. Rejects, and registers nothing, when a file fails: the message names it. Ignoring the
   * promise is fine: a failure raises the `error` event too.
   */
  register_directory(dir: string | UrlLike): Promise<string[]> {
    const registered = this.#register(dir);
    registered.catch((error: unknown) => { this.#peer.complain(error as GluerError, { directory: typeof dir === 'string' ? dir : dir.href }); });
    return registered;
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

  /**
   * Calls a function, of this back end or another one, or (`to`) a front end's handler. `timeout`: ms, default 30 000 (or
   * options). Rejects with a GluerError. Beside the promise, `for await` over it gives what is reported before the answer.
   */
  call<T = any>(cmd: string, data: unknown = {}, timeout?: number | ServerCallOptions): Call<T> { // eslint-disable-line @typescript-eslint/no-explicit-any -- the function's own type, which only the program knows
    const { to, ...options } = isRecord(timeout) ? timeout : { timeout };
    return withProgress(options, (all) => this.#call(cmd, data, all, to) as Promise<Reply<T>>);
  }

  /** Sends data to a function, or (`to`) to a front end's handler; there is no answer. A refusal raises the `error` event. */
  send(cmd: string, data: unknown = {}, options: SendOptions = {}): void {
    this.#peer.send(cmd, data, targetFields(optionsOf('send()', options, SEND).to));
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

  async #register(dir: string | UrlLike): Promise<string[]> {
    const plugins = await readPlugins(dir);
    return plugins.flatMap(({ plugin, handlers, options }) => handlers.map(([name, handler]) => this.#functions.add(plugin, name, handler, options[name])));
  }

  async #call(cmd: string, data: unknown, options: CallOptions, to: unknown): Promise<Reply> {
    if (to && options.idempotencyKey !== undefined) throw mistake('A call to a front end takes no idempotencyKey: only functions are run once for a key.');
    return this.#peer.call(cmd, data, options, targetFields(to));
  }

  #perform(cmd: string, data: unknown, context: Context): unknown {
    const handler = this.#functions.get(cmd);
    if (!handler) throw new GluerError('app_error', `This back end has no function '${cmd}'.`);
    const plugin = cmd.slice(0, Math.max(cmd.indexOf(':'), 0));
    const interceptor = this.#interceptors.get(plugin);
    if (!interceptor) return handler(data, context);
    return intercept(interceptor, plugin, data, context.header).then((allowed) => (context.signal.aborted ? null : handler(allowed, context)));
  }

  #startDrain(timeout: number): Drain {
    const { requests, connection, callees } = this.#peer;
    return new Drain({
      ask: (longest) => {
        for (const old of connection.stay()) old.write('{"type":"drain"}');
        return requests.tell({ type: 'drain' }, longest);
      },
      idle: () => Promise.all([...callees.values()].map((callee) => callee.idle())),
      fence: () => new Promise((passed) => { connection.fence(passed); }),
    }, timeout);
  }

  #leave(): void {
    const drain = this.#drain;
    this.#drain = undefined;
    this.#ignoreSignals?.();
    this.#ignoreSignals = undefined;
    this.#peer.disconnect();
    drain?.cut();
  }

  async #publish(channel: string, data: unknown): Promise<PublishResult> {
    const head = { type: 'publish', channel: checkChannel(channel) };
    return (await this.#peer.request(head, payload(data))).data as PublishResult;
  }
}

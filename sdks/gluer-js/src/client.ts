import { checkUrl } from '../../core/src/address.ts';
import type { ConnectionState } from '../../core/src/connection.ts';
import type { Handler } from '../../core/src/context.ts';
import { mistake } from '../../core/src/errors.ts';
import type { EventName, Listener } from '../../core/src/events.ts';
import { isRecord, type Welcome } from '../../core/src/frames.ts';
import { payload } from '../../core/src/json.ts';
import { FRONTEND, projectOf } from '../../core/src/keys.ts';
import type { WebSocketConstructor } from '../../core/src/link.ts';
import { checkName } from '../../core/src/names.ts';
import { optionsOf, type OptionTypes } from '../../core/src/options.ts';
import { Peer } from '../../core/src/peer.ts';
import { withProgress, type Call } from '../../core/src/progress.ts';
import { callOptions, type CallOptions, type Reply } from '../../core/src/requests.ts';
import { checkSession, isGuessable } from '../../core/src/session.ts';
import type { MessageHandler } from '../../core/src/subscriptions.ts';
import type { Timing } from '../../core/src/timing.ts';
import { version } from '../package.json';
import { httpCall } from './http.ts';
import { ContextItems } from './context_items.ts';
import { Handlers } from './handlers.ts';
import type { TabSessions } from './tab_sessions.ts';

/** What setup() takes. Options that are left out keep what they had. */
export interface SetupOptions {
  /** The project's public key (`gluer_pub_…`). Needed once, before connect(). */
  project?: string | undefined;
  /** The relay's URL (ws, wss, http or https). Default: `wss://ws.gluer.io`; in Node, GLUER_URL of the environment. */
  url?: string | undefined;
  /** This client's secret address, 16 to 128 characters. Default: 128 random bits, kept over a reload of the tab; outside of a tab each client has its own. */
  sessionId?: string | undefined;
  /** The WebSocket class. Default: the global one; Node before version 22 has none. */
  WebSocket?: WebSocketConstructor | undefined;
}

const SETUP: OptionTypes<SetupOptions> = { project: '', url: '', sessionId: '', WebSocket: 'function' };

/** A front end's connection to its project. */
export class GluerClient {
  readonly #peer: Peer;
  readonly #items = new ContextItems();
  readonly #handlers = new Handlers();
  readonly #sessions: TabSessions;
  #webSocket: WebSocketConstructor | undefined;
  #sessionId: string | undefined;

  /** @internal Programs use createClient(). */
  constructor(sessions: TabSessions, timing?: Partial<Timing>) {
    this.#sessions = sessions;
    this.#peer = new Peer({
      kind: FRONTEND,
      sdk: `gluer-js/${version}`,
      timing,
      webSocket: () => this.#socketClass(),
      session: (project) => this.#session(project),
      perform: (cmd, data, context) => this.#handlers.perform(cmd, data, context),
    });
  }

  /** Where the connection stands: `disconnected`, `connecting`, `connected` or `reconnecting`. */
  get state(): ConnectionState {
    return this.#peer.state;
  }

  /**
   * Says which project and which relay; may be called again, also after connect() in the same turn. What is set later
   * holds from the next connection on. Raises `invalid_arguments` for a wrong or unknown option.
   */
  setup(options: SetupOptions): void {
    const { url, project, sessionId, WebSocket } = optionsOf('setup()', options, SETUP);
    if (project !== undefined) projectOf(project, FRONTEND);
    if (url !== undefined) checkUrl(url);
    if (sessionId !== undefined) {
      this.#sessionId = checkSession(sessionId);
      if (isGuessable(sessionId)) console.warn('gluer: this sessionId can be guessed, and is as secret as a key: leave it out, or use crypto.randomUUID().');
    }
    if (project !== undefined) this.#peer.settings.key = project;
    if (url !== undefined) this.#peer.settings.url = url;
    if (WebSocket !== undefined) this.#webSocket = WebSocket;
  }

  /**
   * Connects, and comes back by itself (GP-3). Resolves at the welcome; rejects only when trying again cannot help.
   * Nobody has to wait for it: calls wait for the connection, and failures raise the `error` event too.
   * Raises `invalid_arguments` when setup() has not named a project.
   */
  connect(): Promise<Welcome> {
    return this.#peer.connect();
  }

  /** Ends the connection; calls without an outcome reject with `connection_lost`. Subscriptions stay for the next connect(). */
  disconnect(): void {
    this.#peer.disconnect();
  }

  /** Tries again now instead of at the back-off's end, or asks whether a connection that stands still works; the page does so when the browser is online again. */
  hurry(): void {
    this.#peer.connection.hurry();
  }

  /** Listens to `connection`, `disconnect` or `error`; the listener gets an event with `detail`. */
  addEventListener<Name extends EventName>(type: Name, listener: Listener<Name>): void {
    this.#peer.events.add(type, listener);
  }

  removeEventListener<Name extends EventName>(type: Name, listener: Listener<Name>): void {
    this.#peer.events.remove(type, listener);
  }

  /** Sends `{cmd, data}`; there is no answer. A refusal raises the `error` event. */
  send(frame: { cmd: string; data?: unknown }): void {
    if (!isRecord(frame)) throw mistake("send() takes {cmd, data}; sendMsg(cmd, data) takes them one by one.");
    this.sendMsg(frame.cmd, frame.data);
  }

  /** Sends data to a function; there is no answer. A refusal raises the `error` event. */
  sendMsg(cmd: string, data: unknown = {}): void {
    this.#peer.send(cmd, this.#items.mergedInto(data));
  }

  /**
   * Calls a function. `timeout`: ms, default 30 000 (or options). Rejects with a GluerError, at the latest 250 ms after
   * the deadline (GP-10). A call made after connect() waits for the connection, others are refused at once.
   */
  async sendMsgSync<T = any>(cmd: string, data: unknown = {}, timeout?: number | CallOptions): Promise<Reply<T>> { // eslint-disable-line @typescript-eslint/no-explicit-any -- the function's own type, which only the program knows
    return (await this.#peer.call(cmd, this.#items.mergedInto(data), timeout)) as Reply<T>;
  }

  /** Calls a function as sendMsgSync() does; beside the promise, `for await` over it gives what the function reports before its answer. */
  call<T = any>(cmd: string, data: unknown = {}, options?: number | CallOptions): Call<T> { // eslint-disable-line @typescript-eslint/no-explicit-any -- as above
    return withProgress(options, (all) => this.sendMsgSync<T>(cmd, data, all));
  }

  /** Lets back ends call `fn(data, context)` on this front end by that name; the same name again replaces the handler. */
  on(name: string, fn: Handler): void {
    this.#handlers.set(name, fn);
  }

  /** Takes the handler away, and says whether there was one. */
  off(name: string): boolean {
    return this.#handlers.delete(name);
  }

  /** Calls a function by HTTP, without a connection; reply and errors are those of sendMsgSync(). */
  async sendHttp<T = any>(cmd: string, data: unknown = {}, timeout?: number | CallOptions): Promise<Reply<T>> { // eslint-disable-line @typescript-eslint/no-explicit-any -- as above
    const { project, url, settings, events: { guarded } } = this.#peer;
    const call = { url, guarded, key: settings.key ?? '', session: this.#session(project), cmd: checkName('command', cmd) };
    const reply = await httpCall({ ...callOptions(timeout), ...call, data: payload(this.#items.mergedInto(data)) });
    return reply as Reply<T>;
  }

  /** Listens to one channel or several, across reconnects; the returned function ends it. */
  subscribe(channels: string | readonly string[], handler: MessageHandler): () => void {
    return this.#peer.subscriptions.subscribe(channels, handler);
  }

  /** Takes a handler away from channels, or all handlers. */
  unsubscribe(channels: string | readonly string[], handler?: MessageHandler): void {
    this.#peer.subscriptions.unsubscribe(channels, handler);
  }

  /** Adds a value that goes with every call and send as a field of its data; the data's own fields win (GP-19). */
  setContextItem(key: string, value: unknown): void {
    this.#items.set(key, value);
  }

  deleteContextItem(key: string): void {
    this.#items.delete(key);
  }

  #session(project: string): string {
    return this.#sessionId ?? this.#sessions.of(project);
  }

  #socketClass(): WebSocketConstructor {
    const found = this.#webSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    if (!found) throw mistake("This platform has no WebSocket: start Node 20 with --experimental-websocket, or call setup({ WebSocket }) with that of the package 'ws'.");
    return found;
  }
}

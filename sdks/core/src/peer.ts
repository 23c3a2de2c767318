import { checkUrl, DEFAULT_URL, socketAddress, urlOfEnvironment } from './address.ts';
import { Callee, type CalleePorts } from './callee.ts';
import { Connection, type ConnectionState } from './connection.ts';
import { errorFrom, GluerError } from './errors.ts';
import { countRefused } from './exit_code.ts';
import { Events, type ErrorDetail } from './events.ts';
import type { Frame, Welcome } from './frames.ts';
import { payload } from './json.ts';
import { projectOf, type Kind } from './keys.ts';
import type { Link, WebSocketConstructor } from './link.ts';
import { checkName } from './names.ts';
import { callOptions, notConnected, Requests, type CallOptions, type Reply } from './requests.ts';
import type { Roster, RosterPorts } from './roster.ts';
import { Subscriptions } from './subscriptions.ts';
import { now, timingOf, type Timing } from './timing.ts';

/** What a kind of client adds to the common part. */
export interface PeerParts {
  readonly kind: Kind;
  /** Name and version, as the dashboard shows them. */
  readonly sdk: string;
  readonly timing?: Partial<Timing> | undefined;
  webSocket(): WebSocketConstructor;
  /** This client's address across reconnects (GP-5). */
  session(project: string): string;
  /** Runs a function that others call on this client. */
  readonly perform: CalleePorts['perform'];
  /** The connection ended. */
  ended?(): void;
}

/** What the program has set; it holds from the next connection on. */
export interface PeerSettings {
  url?: string;
  key?: string;
  password?: string;
  name?: string;
}

/** The part that both kinds of client share: a connection, requests, subscriptions, events. */
export class Peer {
  readonly settings: PeerSettings = {};
  readonly events = new Events();
  readonly requests: Requests;
  readonly subscriptions: Subscriptions;
  readonly connection: Connection;
  readonly #parts: PeerParts;
  readonly #rosters: Roster[];
  /** A link's calls are answered there. */
  readonly callees = new Map<Link, Callee>();
  #welcomed = false;
  #troubled = false;
  #refusedUnheard = false; // for good, and nobody listens to `error`
  #awaySince: number | undefined;
  #why = ''; // the connection was lost, or could not be made

  constructor(parts: PeerParts) {
    this.#parts = parts;
    this.connection = new Connection(this.#ports(), { ...timingOf(parts.kind), ...parts.timing });
    const { connection } = this;
    this.requests = new Requests({
      get open() { return connection.open; },
      get ready() { return connection.state === 'connected'; },
      get buffered() { return connection.buffered; },
      away: () => `No connection to ${this.url} stood before the deadline${this.#why && ` (${this.#why})`}.`,
      write: (text, state) => connection.write(text, state),
    }, this.events.guarded);
    this.subscriptions = new Subscriptions(this.rosterPorts(), this.events.guarded);
    this.#rosters = [this.subscriptions.roster];
  }

  get state(): ConnectionState {
    return this.connection.state;
  }

  /** The relay's URL: the program's, the environment's, or the public relay's. */
  get url(): string {
    return checkUrl(this.settings.url ?? urlOfEnvironment() ?? DEFAULT_URL);
  }

  /** The id of the project whose key was set. */
  get project(): string {
    return projectOf(this.settings.key, this.#parts.kind);
  }

  connect(): Promise<Welcome> {
    this.#check();
    this.#noteRefused(false);
    this.requests.start();
    return this.connection.connect();
  }

  disconnect(): void {
    this.connection.disconnect();
  }

  /** Rejects with the call's outcome, or with `invalid_arguments`. `fields`: what else its frame says. */
  async call(cmd: string, data: unknown, timeout?: number | CallOptions, fields: object = {}): Promise<Reply> {
    return this.request({ type: 'call', cmd: checkName('command', cmd), ...fields }, payload(data), callOptions(timeout));
  }

  /** Makes an answered request; `data` is JSON text. */
  request(head: Frame, data: string, options: CallOptions = {}): Promise<Reply> {
    this.#flush();
    return this.requests.call(head, data, options);
  }

  /** A send has no outcome: what becomes of it is an `error` event at most. */
  send(cmd: string, data: unknown, fields: object = {}): void {
    const text = payload(data);
    const head = { type: 'send', cmd: checkName('command', cmd), ...fields };
    this.#flush();
    this.requests.send(head, text).catch((error: unknown) => { this.complain(error as GluerError, { type: 'send', cmd }); });
  }

  /** Raises the `error` event. */
  complain({ code, message, retry_after, data }: GluerError, about?: unknown, error?: unknown): void {
    const all = Object.entries({ code, message, about, retry_after, data, error }).filter(([, value]) => value !== undefined);
    this.events.emit('error', Object.fromEntries(all) as unknown as ErrorDetail);
  }

  /** Lets the roster's names be told to every connection. */
  enroll(roster: Roster): Roster {
    this.#rosters.unshift(roster);
    return roster;
  }

  rosterPorts(): RosterPorts {
    const { connection } = this;
    return {
      get open() { return connection.open; },
      tell: (head) => this.requests.tell(head),
      failed: (error, head) => { this.complain(error, head); },
    };
  }

  /** Raises what is wrong with the settings now, not when the socket is opened. */
  #check(): void {
    socketAddress(this.url, this.project);
    this.#parts.webSocket();
  }

  #flush(): void {
    if (this.connection.state === 'connected') for (const roster of this.#rosters) roster.flush();
  }

  #ports(): ConstructorParameters<typeof Connection>[0] {
    return {
      socket: (otherwise) => new (this.#parts.webSocket())(socketAddress(this.url, this.project, otherwise), 'gluer.v1.json'),
      hello: () => this.#hello(),
      opened: () => { for (const roster of this.#rosters) roster.restart(); },
      welcomed: (welcome) => { this.#onWelcome(welcome); },
      received: (frame, link) => { this.#received(frame, link); },
      waits: (link) => this.requests.via(link),
      expects: (link) => this.#parts.kind.isCalled || this.requests.via(link),
      spent: (link) => this.#parts.kind.closes && !this.requests.via(link) && !this.callees.get(link)?.busy,
      ended: (link, error) => {
        this.requests.lose(error, link);
        this.subscriptions.ended(link);
        this.callees.get(link)?.abandon();
        this.callees.delete(link);
        const { standing } = this.connection;
        if (standing && standing !== link) this.requests.resume();
      },
      lost: (error, standing, wait) => { this.#lost(error, standing, wait); },
      refused: (error, standing) => { this.#stopped(error, standing); this.#refused(error); },
      left: (error, standing) => { this.#stopped(error, standing, notConnected()); },
      garbled: () => { this.complain(new GluerError('bad_frame', 'The relay sent something that is no frame: is the URL that of a Gluer relay?')); },
    };
  }

  #hello(): Frame {
    const { key, password, name } = this.settings;
    const session = this.#parts.session(this.project);
    return { type: 'hello', key, password, session, name, sdk: this.#parts.sdk };
  }

  #onWelcome(welcome: Welcome): void {
    const reconnected = this.#welcomed;
    const away = this.#awaySince && Math.round(now() - this.#awaySince);
    if (this.#troubled) this.events.relieve(`connected ${reconnected ? 'again ' : ''}to ${this.url} after ${seconds(away)}.`);
    this.#welcomed = true;
    this.#calm();
    this.requests.frameLimit = welcome.limits.frame;
    const { standing } = this.connection;
    if (standing) {
      this.requests.moved(standing);
      this.subscriptions.follow(standing, (old) => this.requests.fence(old));
    }
    this.requests.resume();
    this.events.emit('connection', { connection: welcome.connection, session: welcome.session, reconnected, ...(away === undefined ? {} : { away }) });
  }

  #received(frame: Frame, link: Link): void {
    if (frame.type === 'result' || frame.type === 'error' || frame.type === 'progress') this.requests.answer(frame);
    else if (frame.type === 'message') this.subscriptions.received(frame, link, this.connection.left(link));
    else if (frame.type === 'notice') this.complain(errorFrom(frame, 'bad_frame'), frame['about']);
    else this.#callee(link).received(frame);
  }

  #callee(link: Link): Callee {
    const callee = this.callees.get(link) ?? this.#newCallee(link);
    this.callees.set(link, callee);
    return callee;
  }

  #newCallee(link: Link): Callee {
    const { requests } = this;
    return new Callee({
      get frameLimit() { return requests.frameLimit; },
      perform: this.#parts.perform,
      write: (text) => { link.write(text); },
      failed: (error, cmd, thrown) => { this.complain(error, cmd, thrown); },
    });
  }

  #lost(error: GluerError, standing: boolean, wait: number): void {
    this.#end();
    this.#awaySince ??= now();
    this.#why = error.message.replace(/\.$/, '');
    if (standing) this.events.emit('disconnect', { code: error.code, message: error.message, reconnecting: true });
    else if (!this.#troubled) this.#trouble(error, wait);
  }

  /** Says once per outage why there is no connection, and when it is tried again. */
  #trouble({ code, message }: GluerError, wait: number): void {
    this.#troubled = true;
    const again = `Trying again ${wait < 100 ? 'now' : `in ${seconds(wait)}`}.`;
    if (code !== 'connection_lost') { // the relay said why, such as a session that is full
      this.complain(new GluerError(code, `The relay at ${this.url} does not take this connection now: ${message} ${again}`));
      return;
    }
    const hint = this.url === DEFAULT_URL ? ' Is your relay elsewhere? Set its URL, in Node by GLUER_URL.' : '';
    this.complain(new GluerError('relay_unavailable', `No connection to ${this.url} (${this.#why}). ${again}${hint}`));
  }

  /** The relay refuses this client for good. */
  #refused({ code, message, retry_after, data }: GluerError): void {
    this.#noteRefused(!this.events.hears('error'));
    this.complain(new GluerError(code, { message: `${message} (The relay is ${this.url}.)`, retry_after, data }));
  }

  #noteRefused(unheard: boolean): void {
    if (unheard !== this.#refusedUnheard) countRefused(unheard ? 1 : -1);
    this.#refusedUnheard = unheard;
  }

  #stopped(error: GluerError, standing: boolean, refusal = error): void {
    const { code, message } = error;
    this.#end();
    this.#welcomed = false;
    this.#calm();
    this.requests.stop(error, refusal);
    if (standing) this.events.emit('disconnect', { code, message, reconnecting: false });
  }

  /** Nothing is to be said of an outage any more. */
  #calm(): void {
    this.#troubled = false;
    this.#awaySince = undefined;
    this.#why = '';
  }

  #end(): void {
    for (const roster of this.#rosters) roster.pause();
    this.#parts.ended?.();
  }
}

/** As people read it. */
function seconds(ms = 0): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

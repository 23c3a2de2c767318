// The client's own requests (GP-10). Its rules:
// 1. A request is settled exactly once: by its answer, its deadline, its cancelling, or its connection's end.
// 2. Once written it is never written again, except a call with an idempotency key, on the next connection. What is to be
//    written waits for a connection until its deadline.
// 3. Requests are written in the order in which they were made.
import { GluerError, errorFrom, mistake } from './errors.ts';
import { DEFAULT_FRAME_LIMIT, bytesOver, encode, type Frame } from './frames.ts';
import type { Guard } from './events.ts';
import type { Link } from './link.ts';
import { optionsOf, type OptionTypes } from './options.ts';
import type { Signal } from './platform.ts';
import { now } from './timing.ts';

/** A function's answer. */
export interface Reply<T = unknown> {
  readonly data: T;
  /** The name of a named reply, such as `users.created`. */
  readonly outcome?: string;
  /** How many of the function's reports were lost between the last one that came and this answer (GP-1B). */
  readonly missed?: number;
}

/** What is known of a report beside its data. */
export interface ProgressInfo {
  /** How many reports were lost just before this one, between two processes of the relay (GP-1B); nearly always 0. */
  readonly missed: number;
}

/** How a call is made. */
export interface CallOptions {
  /** Deadline, ms; default 30 000, as the protocol's. */
  timeout?: number | undefined;
  /** Cancels the call: it rejects with `cancelled`, and the function's own signal fires (GP-14). */
  signal?: Signal | undefined;
  /** Gets what the function reports before its answer, in order. */
  onProgress?: ((data: unknown, info: ProgressInfo) => unknown) | undefined;
  /**
   * 1 to 256 visible ASCII characters: of all calls with this key (of this session, function and data, within 10 minutes)
   * the function runs for one, and all get its outcome (GP-1A). So the SDK sends the call again after a reconnect.
   */
  idempotencyKey?: string | undefined;
}

/** Where requests are written. */
export interface Outlet {
  /** Whether the hello is written. */
  readonly open: boolean;
  /** Whether the welcome has come: only now calls and sends are written, so that a failed handshake loses none. */
  readonly ready: boolean;
  readonly buffered: number;
  /** Says that no connection stood, which one, and why. */
  away(): string;
  /** Writes to the link that stands, or (`state`) to the one that is told what this client is; returns that link. */
  write(text: string, state: boolean): Link | undefined;
}

const FENCE_TIME = 2_000; // ms; a relay knows within 1 s
export const DEFAULT_TIMEOUT = 30_000; // ms
const LONGEST_TIMEOUT = 2 ** 31 - 1_001; // ms; timers overflow above it
/** Milliseconds after the deadline in which the relay's own outcome may come (GP-10). */
export const GRACE = 250;
const MOST_OPEN = 10_000; // requests without an outcome
const MOST_WAITING = 1_000; // requests that wait for a connection
const MOST_BYTES = 16 * 1_048_576; // payload that may be written yet, or waits for the network
const KEY = /^[!-~]{1,256}$/; // what an HTTP header can carry too

/** A `call` is answered; a `send` is settled by being written; a `state` (subscribe, register) may be written right behind the hello. */
type Kind = 'call' | 'send' | 'state';

interface Request {
  readonly id: string;
  readonly head: Frame;
  /** Kept as long as it may be written. */
  data: string | undefined;
  readonly kind: Kind;
  readonly deadline: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: GluerError) => void;
  readonly onProgress: CallOptions['onProgress'];
  /** Whether it may be written again. */
  readonly repeatable: boolean;
  /** The only link that it may be written to. */
  readonly to: Link | undefined;
  /** The link that it was written to, while that stands. */
  via: Link | undefined;
  /** On any connection. */
  sent: boolean;
  timer: ReturnType<typeof setTimeout>;
  /** Stops listening to the caller's signal. */
  release: (() => void) | undefined;
}

export class Requests {
  /** Bytes of a frame, as the last welcome said. */
  frameLimit = DEFAULT_FRAME_LIMIT;
  readonly #outlet: Outlet;
  readonly #guarded: Guard;
  readonly #open = new Map<string, Request>();
  readonly #waiting = new Map<string, Request>();
  readonly #former = new Set<Request>(); // publishes without an answer on links that the connection has moved away from
  #keptBytes = 0;
  #count = 0;
  #stopped: GluerError | undefined = notConnected();

  constructor(outlet: Outlet, guarded: Guard) {
    this.#outlet = outlet;
    this.#guarded = guarded;
  }

  /** Makes a request that is answered. A call's frame carries its deadline. */
  call(head: Frame, data: string, options: CallOptions = {}): Promise<Reply> {
    return this.#make('call', head, data, options);
  }

  /** Makes a request without an answer; resolves when it is written. */
  send(head: Frame, data: string): Promise<Reply> {
    return this.#make('send', head, data, {});
  }

  /** Makes a request that tells the relay a state of the newest connection, while it is open. */
  tell(head: Frame, timeout?: number): Promise<Reply> {
    return this.#make('state', head, undefined, { timeout });
  }

  /** Asks a link that was moved away from whether all has come that its relay was given before; resolves behind it (GP-24). */
  fence(link: Link): Promise<Reply> {
    return this.#make('state', { type: 'unsubscribe', channels: [] }, undefined, { timeout: FENCE_TIME }, link);
  }

  /** Takes an answer of the relay; what answers nothing is dropped. */
  answer(frame: Frame): void {
    const request = this.#open.get(String(frame['id']));
    if (!request?.via) return;
    if (frame.type === 'progress') this.#guarded('onProgress', () => request.onProgress?.(frame['data'], infoOf(frame)));
    else if (frame.type === 'error') this.#settle(request).reject(errorFrom(frame));
    else this.#settle(request).resolve(replyOf(frame));
  }

  /** Writes what waited. */
  resume(): void {
    for (const request of [...this.#waiting.values()]) if (!this.#behind(request.head)) this.#write(request);
  }

  /** The connection has moved to the link: publishes by it wait for the answers of those before, so that they keep their order (GP-6). */
  moved(link: Link): void {
    const before = [...this.#open.values()].filter((request) => request.head.type === 'publish' && request.via && request.via !== link);
    if (before.length === 0) return;
    for (const request of before) this.#former.add(request);
    setTimeout(() => { this.#follow(before); }, FENCE_TIME); // a relay that hangs holds up nobody
  }

  /** Publishes wait for the answers of these no longer. */
  #follow(before: Request[]): void {
    let waited = false;
    for (const request of before) waited = this.#former.delete(request) || waited;
    if (waited && this.#former.size === 0) this.resume();
  }

  /** Whether something written to the link is without an outcome. */
  via(link: Link): boolean {
    return [...this.#open.values()].some((request) => request.via === link);
  }

  /** The link ended: nobody knows what became of what was written there (GP-10). What may be repeated waits for the next one. */
  lose(reason: GluerError, link: Link): void {
    for (const request of [...this.#open.values()]) {
      if (request.via !== link) continue;
      request.via = undefined;
      if (request.repeatable && this.#waiting.size < MOST_WAITING) this.#waiting.set(request.id, request);
      else this.#settle(request).reject(new GluerError('connection_lost', reason.message));
    }
  }

  /** No connection will come: all requests end, and new ones are refused (with `refusal`) until start(). */
  stop(error: GluerError, refusal = error): void {
    this.#stopped = refusal;
    const lost = new GluerError('connection_lost', error.message);
    for (const request of [...this.#open.values()]) this.#settle(request).reject(request.sent ? lost : error);
  }

  /** New requests may wait for a connection from now on. */
  start(): void {
    this.#stopped = undefined;
  }

  /** Whether the request has to wait for the answers of publishes on another link. */
  #behind(head: Frame): boolean {
    return this.#former.size > 0 && head.type === 'publish';
  }

  #make(kind: Kind, head: Frame, data: string | undefined, options: CallOptions, to?: Link): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timeout = checkTimeout(options.timeout);
      const repeatable = checkKey(options.idempotencyKey) !== undefined;
      if (this.#stopped) throw this.#stopped;
      if (options.signal?.aborted) throw new GluerError('cancelled');
      if (kind !== 'state') this.#checkRoom(data, repeatable || this.#behind(head));
      const id = (++this.#count).toString(36);
      const { type, ...fields } = head;
      const request: Request = {
        id, head: { type, id, ...fields, idempotency_key: options.idempotencyKey }, data, kind, repeatable, resolve, reject,
        deadline: now() + timeout, timer: setTimeout(() => { this.#due(request); }, timeout),
        onProgress: options.onProgress, to, via: undefined, sent: false, release: undefined,
      };
      this.#listenTo(options.signal, request);
      this.#admit(request);
    });
  }

  #checkRoom(data = '', stays: boolean): void {
    if (this.#open.size >= MOST_OPEN) throw new GluerError('rate_limited', `${String(MOST_OPEN)} requests are without an outcome: wait for some of them.`);
    if (this.#outlet.ready) {
      if (this.#outlet.buffered > MOST_BYTES) throw new GluerError('relay_unavailable', 'The network is slower than what is sent: send less.');
    }
    const kept = stays || !this.#outlet.ready;
    if (kept && (this.#waiting.size >= MOST_WAITING || this.#keptBytes + data.length > MOST_BYTES))
      throw new GluerError('relay_unavailable', 'Too much waits for the connection: call connect(), or wait for its event.');
  }

  #admit(request: Request): void {
    this.#open.set(request.id, request);
    this.#waiting.set(request.id, request);
    this.#keptBytes += request.data?.length ?? 0;
    if ((request.kind === 'state' ? this.#outlet.open : this.#outlet.ready) && !this.#behind(request.head)) this.#write(request);
  }

  #write(request: Request): void {
    const text = this.#text(request);
    const bytes = bytesOver(text, this.frameLimit);
    if (bytes !== undefined) {
      const message = `The frame has ${String(bytes)} bytes, and the relay takes ${String(this.frameLimit)}: send less at once.`;
      this.#settle(request).reject(new GluerError('payload_too_large', { message, data: { limit: this.frameLimit } }));
      return;
    }
    this.#waiting.delete(request.id);
    request.sent = true;
    if (!request.repeatable) this.#forget(request);
    request.to?.write(text);
    request.via = request.to ?? this.#outlet.write(text, request.kind === 'state');
    if (request.kind === 'send') this.#settle(request).resolve({ data: null });
  }

  #text({ head, data, kind, deadline }: Request): string {
    if (head.type === 'call') return encode({ ...head, timeout: Math.max(1, Math.ceil(deadline - now())) }, data);
    return encode(kind === 'send' ? { ...head, id: undefined } : head, data);
  }

  /** The deadline has come, or is over since a sleep: a written request gets a little longer, for the relay's own outcome. */
  #due(request: Request, graced = false): void {
    const left = request.deadline - now();
    if (left > 1 || (request.via && !graced)) {
      request.timer = setTimeout(() => { this.#due(request, left <= 1); }, left > 1 ? left : GRACE);
      return;
    }
    const message = request.sent ? 'No answer came before the deadline.' : this.#outlet.away();
    this.#settle(request).reject(new GluerError('deadline_exceeded', message));
  }

  #listenTo(signal: AbortSignal | undefined, request: Request): void {
    if (!signal) return;
    const abort = (): void => { this.#cancel(request); };
    signal.addEventListener('abort', abort);
    request.release = () => { signal.removeEventListener('abort', abort); };
  }

  #cancel(request: Request): void {
    request.via?.write(encode({ type: 'cancel', id: request.id }));
    this.#settle(request).reject(new GluerError('cancelled'));
  }

  #settle(request: Request): Request {
    this.#open.delete(request.id);
    this.#waiting.delete(request.id);
    this.#forget(request);
    clearTimeout(request.timer);
    request.release?.();
    this.#follow([request]);
    return request;
  }

  #forget(request: Request): void {
    this.#keptBytes -= request.data?.length ?? 0;
    request.data = undefined;
  }
}

/** For a request that no connection will ever take. */
export function notConnected(): GluerError {
  return new GluerError('relay_unavailable', 'There is no connection: call connect() first.');
}

/** The idempotency key, when there is one; raises `invalid_arguments` for one that the relay or HTTP would not take. */
export function checkKey(key: unknown): string | undefined {
  if (key !== undefined && !(typeof key === 'string' && KEY.test(key)))
    throw mistake('An idempotencyKey is a string of 1 to 256 visible ASCII characters.');
  return key;
}

/** The deadline, when the protocol takes it (GP-51); raises `invalid_arguments` otherwise. */
export function checkTimeout(timeout: unknown = DEFAULT_TIMEOUT): number {
  if (typeof timeout !== 'number' || !(timeout >= 1)) throw mistake('A timeout is a number of milliseconds, at least 1.');
  return Math.min(timeout, LONGEST_TIMEOUT);
}

const TYPES: OptionTypes<CallOptions> = { timeout: '', signal: 'object', onProgress: 'function', idempotencyKey: '' };

/** The third argument of a call: a timeout in ms, or options. Raises `invalid_arguments` for wrong ones. */
export function callOptions(timeout: number | CallOptions | undefined): CallOptions {
  if (typeof timeout !== 'object') return { timeout };
  const options = optionsOf('A call', timeout, TYPES);
  if (options.signal && typeof options.signal.addEventListener !== 'function') throw mistake('The option signal of a call is an AbortSignal.');
  return options;
}

/** The reply in a `result` frame or an HTTP body. */
export function replyOf({ data, outcome, missed }: Record<string, unknown>): Reply {
  return {
    data: data ?? null,
    ...(typeof outcome === 'string' ? { outcome } : {}),
    ...(typeof missed === 'number' ? { missed } : {}),
  };
}

/** What a `progress` frame says beside its data. */
export function infoOf({ missed }: Frame): ProgressInfo {
  return { missed: typeof missed === 'number' ? missed : 0 };
}

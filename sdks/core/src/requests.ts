// The client's own requests (GP-10). Its rules:
// 1. A request is settled exactly once: by its answer, its deadline, its cancelling, or its connection's end.
// 2. Once written it is never written again; not yet written it waits for a connection until its deadline.
// 3. Requests are written in the order in which they were made.
import { GluerError, errorFrom, mistake } from './errors.ts';
import { DEFAULT_FRAME_LIMIT, bytesOver, encode, type Frame } from './frames.ts';
import { guarded } from './events.ts';
import { now } from './timing.ts';

/** A function's answer. */
export interface Reply<T = unknown> {
  readonly data: T;
  /** The name of a named reply, such as `users.created`. */
  readonly outcome?: string;
}

/** How a call is made. */
export interface CallOptions {
  /** Deadline, ms; default 30 000, as the protocol's. */
  timeout?: number | undefined;
  /** Cancels the call: it rejects with `cancelled`, and the function's own signal fires (GP-14). */
  signal?: AbortSignal | undefined;
  /** Gets what the function reports before its answer, in order. */
  onProgress?: ((data: unknown) => void) | undefined;
}

/** Where requests are written. */
export interface Outlet {
  /** Whether the hello is written. */
  readonly open: boolean;
  /** Whether the welcome has come: only now calls and sends are written, so that a failed handshake loses none. */
  readonly ready: boolean;
  readonly buffered: number;
  write(text: string): void;
}

export const DEFAULT_TIMEOUT = 30_000; // ms
const LONGEST_TIMEOUT = 2 ** 31 - 1_001; // ms; timers overflow above it
/** Milliseconds after the deadline in which the relay's own outcome may come (GP-10). */
export const GRACE = 250;
const MOST_OPEN = 10_000; // requests without an outcome
const MOST_WAITING = 1_000; // requests that wait for a connection
const MOST_BYTES = 16 * 1_048_576; // payload that waits for a connection, or for the network

/** A `call` is answered; a `send` is settled by being written; a `state` (subscribe, register) may be written right behind the hello. */
type Kind = 'call' | 'send' | 'state';

interface Request {
  readonly head: Frame;
  readonly data: string | undefined;
  readonly kind: Kind;
  readonly deadline: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: GluerError) => void;
  readonly onProgress: CallOptions['onProgress'];
  written: boolean;
  timer: ReturnType<typeof setTimeout>;
  /** Stops listening to the caller's signal. */
  release: (() => void) | undefined;
}

export class Requests {
  /** Bytes of a frame, as the last welcome said. */
  frameLimit = DEFAULT_FRAME_LIMIT;
  readonly #outlet: Outlet;
  readonly #open = new Map<string, Request>();
  readonly #waiting = new Map<string, Request>();
  #waitingBytes = 0;
  #count = 0;
  #stopped: GluerError | undefined;

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** Makes a request that is answered. A call's frame carries its deadline. */
  call(head: Frame, data: string, options: CallOptions = {}): Promise<Reply> {
    return this.#make('call', head, data, options);
  }

  /** Makes a request without an answer; resolves when it is written. */
  send(head: Frame, data: string): Promise<Reply> {
    return this.#make('send', head, data, {});
  }

  /** Makes a request that tells the relay a state of this connection, while it is open. */
  tell(head: Frame): Promise<Reply> {
    return this.#make('state', head, undefined, {});
  }

  /** Takes an answer of the relay; what answers nothing is dropped. */
  answer(frame: Frame): void {
    const request = this.#open.get(String(frame['id']));
    if (!request?.written) return;
    if (frame.type === 'progress') guarded('onProgress', () => request.onProgress?.(frame['data']));
    else if (frame.type === 'error') this.#settle(request).reject(errorFrom(frame));
    else this.#settle(request).resolve(replyOf(frame));
  }

  /** Writes what waited. */
  resume(): void {
    for (const request of [...this.#waiting.values()]) this.#write(request);
  }

  /** The connection ended: nobody knows what became of what was written (GP-10). */
  lose(reason: GluerError): void {
    const error = new GluerError('connection_lost', reason.message);
    for (const request of [...this.#open.values()]) if (request.written) this.#settle(request).reject(error);
  }

  /** No connection will come: all requests end, and new ones are refused until start(). */
  stop(error: GluerError): void {
    this.#stopped = error;
    this.lose(error);
    for (const request of [...this.#open.values()]) this.#settle(request).reject(error);
  }

  /** New requests may wait for a connection again. */
  start(): void {
    this.#stopped = undefined;
  }

  #make(kind: Kind, head: Frame, data: string | undefined, options: CallOptions): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timeout = checkTimeout(options.timeout);
      if (this.#stopped) throw this.#stopped;
      if (options.signal?.aborted) throw new GluerError('cancelled');
      if (kind !== 'state') this.#checkRoom(data);
      const id = (++this.#count).toString(36);
      const { type, ...fields } = head;
      const request: Request = {
        head: { type, id, ...fields }, data, kind, resolve, reject, deadline: now() + timeout, written: false,
        onProgress: options.onProgress, timer: setTimeout(() => { this.#due(request); }, timeout), release: undefined,
      };
      this.#listenTo(options.signal, request);
      this.#admit(id, request);
    });
  }

  #checkRoom(data = ''): void {
    if (this.#open.size >= MOST_OPEN) throw new GluerError('rate_limited', `${String(MOST_OPEN)} requests are without an outcome: wait for some of them.`);
    if (this.#outlet.ready) {
      if (this.#outlet.buffered > MOST_BYTES) throw new GluerError('relay_unavailable', 'The network is slower than what is sent: send less.');
    } else if (this.#waiting.size >= MOST_WAITING || this.#waitingBytes + data.length > MOST_BYTES)
      throw new GluerError('relay_unavailable', 'Too much already waits for the connection: call connect(), or wait for its connection event.');
  }

  #admit(id: string, request: Request): void {
    this.#open.set(id, request);
    this.#waiting.set(id, request);
    this.#waitingBytes += request.data?.length ?? 0;
    if (request.kind === 'state' ? this.#outlet.open : this.#outlet.ready) this.#write(request);
  }

  #write(request: Request): void {
    const text = this.#text(request);
    const bytes = bytesOver(text, this.frameLimit);
    if (bytes !== undefined) {
      const message = `The frame has ${String(bytes)} bytes, and the relay takes ${String(this.frameLimit)}: send less at once.`;
      this.#settle(request).reject(new GluerError('payload_too_large', { message, data: { limit: this.frameLimit } }));
      return;
    }
    this.#leaveQueue(request);
    request.written = true;
    this.#outlet.write(text);
    if (request.kind === 'send') this.#settle(request).resolve({ data: null });
  }

  #text({ head, data, kind, deadline }: Request): string {
    if (head.type === 'call') return encode({ ...head, timeout: Math.max(1, Math.ceil(deadline - now())) }, data);
    return encode(kind === 'send' ? { ...head, id: undefined } : head, data);
  }

  /** The deadline has come: a written request gets a little longer, for the relay's own outcome. */
  #due(request: Request): void {
    if (request.written && now() < request.deadline + GRACE - 1) {
      request.timer = setTimeout(() => { this.#due(request); }, GRACE);
      return;
    }
    const message = request.written ? 'No answer came before the deadline.' : 'No connection stood before the deadline.';
    this.#settle(request).reject(new GluerError('deadline_exceeded', message));
  }

  #listenTo(signal: AbortSignal | undefined, request: Request): void {
    if (!signal) return;
    const abort = (): void => { this.#cancel(request); };
    signal.addEventListener('abort', abort);
    request.release = () => { signal.removeEventListener('abort', abort); };
  }

  #cancel(request: Request): void {
    if (request.written) this.#outlet.write(encode({ type: 'cancel', id: request.head['id'] }));
    this.#settle(request).reject(new GluerError('cancelled'));
  }

  #settle(request: Request): Request {
    this.#open.delete(request.head['id'] as string);
    this.#leaveQueue(request);
    clearTimeout(request.timer);
    request.release?.();
    return request;
  }

  #leaveQueue(request: Request): void {
    if (this.#waiting.delete(request.head['id'] as string)) this.#waitingBytes -= request.data?.length ?? 0;
  }
}

/** The deadline, when the protocol takes it (GP-51); raises `invalid_arguments` otherwise. */
export function checkTimeout(timeout: unknown = DEFAULT_TIMEOUT): number {
  if (typeof timeout !== 'number' || !(timeout >= 1)) throw mistake('A timeout is a number of milliseconds, at least 1.');
  return Math.min(timeout, LONGEST_TIMEOUT);
}

/** The third argument of a call: a timeout in ms, or options. */
export function callOptions(timeout: number | CallOptions | undefined): CallOptions {
  return typeof timeout === 'object' ? timeout : { timeout };
}

/** The reply in a `result` frame or an HTTP body. */
export function replyOf({ data, outcome }: Record<string, unknown>): Reply {
  return typeof outcome === 'string' ? { data: data ?? null, outcome } : { data: data ?? null };
}

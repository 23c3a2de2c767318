// A connection that comes back by itself (GP-2, GP-3). Its rules:
// 1. It is in one of four states; in each at most one timer runs and at most one link exists.
// 2. State changes first, timers second, others are told last: whoever is told may call connect() or disconnect().
// 3. A connection is believed in while it is heard from. After a sleep only a pong counts: other frames may be older than the sleep.
// 4. `bye` and the table of close codes say whether to come back; all else does.
import { backoff } from './backoff.ts';
import { CLOSE_CODES, OUTCOMES } from './codes.ts';
import { errorFrom, GluerError, messageOf } from './errors.ts';
import { encode, welcomeOf, type Frame, type Welcome } from './frames.ts';
import { Link, type End, type WebSocketLike } from './link.ts';
import { now, stopwatch, type Timing } from './timing.ts';

/**
 * `disconnected`: connect() was not called, or disconnect() was, or reconnecting cannot help. `connecting`: on the way to
 * the first welcome. `connected`: welcomed. `reconnecting`: on the way to the next one.
 */
export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting';

export interface ConnectionPorts {
  /** Opens a socket to the relay; a throw is final. */
  socket(): WebSocketLike;
  hello(): Frame;
  /** The hello is written; what is written now is handled right behind it. */
  opened(): void;
  welcomed(welcome: Welcome): void;
  received(frame: Frame): void;
  /** The link ended and the next one is being made. `standing`: it had been welcomed. */
  lost(error: GluerError, standing: boolean): void;
  /** The link ended, or could not be made, and reconnecting cannot help. */
  refused(error: GluerError, standing: boolean): void;
  /** disconnect() was called. */
  left(error: GluerError, standing: boolean): void;
  /** The relay sent something that is no frame. */
  garbled(): void;
}

const LONGEST_AFTER = 3_600_000; // 1 h: a bye's `after` beyond it is a mistake

export class Connection {
  state: ConnectionState = 'disconnected';
  readonly #ports: ConnectionPorts;
  readonly #timing: Timing;
  #link: Link | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #standing = new Standing();
  #attempt = 0;
  #silence = 0;
  #heardAt: number | undefined; // undefined until the socket is open
  #welcomedAt = 0;
  #fences: (() => void)[] = []; // of pings without a pong
  #asks = 0;
  #notBefore = 0; // the last bye's `after`

  constructor(ports: ConnectionPorts, timing: Timing) {
    this.#ports = ports;
    this.#timing = timing;
  }

  /** Whether frames may be written: the hello is. */
  get open(): boolean {
    return this.#link !== undefined && this.#heardAt !== undefined;
  }

  /** Bytes that are written and not yet with the network. */
  get buffered(): number {
    return this.#link?.buffered ?? 0;
  }

  /** Resolves at the welcome; rejects when reconnecting cannot help, or with disconnect(). Ignoring it is fine. */
  connect(): Promise<Welcome> {
    if (this.state === 'disconnected') {
      this.state = 'connecting';
      this.#attempt = 0;
      this.#standing = new Standing();
      this.#after(0, () => { this.#open(); }); // the rest of this turn may still change the URL
    }
    return this.#standing.promise;
  }

  /** Ends the connection for good. Nothing of it keeps the process alive. */
  disconnect(): void {
    if (this.state === 'disconnected') return;
    const link = this.#link;
    this.#link = undefined;
    link?.end({});
    this.#stop(new GluerError('connection_lost', 'disconnect() was called.'), 'left');
  }

  /**
   * Tries again now instead of at the back-off's end; what a bye asked to wait is still waited. Of a connection that
   * stands, asks the relay whether it is there.
   */
  hurry(): void {
    if (this.state === 'connected') this.#ask();
    else if (this.state !== 'disconnected' && !this.#link) this.#after(Math.max(0, this.#notBefore - now()), () => { this.#open(); });
  }

  write(text: string): void {
    this.#link?.write(text);
  }

  /** Calls back when the relay has read all that is written so far: pings are answered in order. */
  fence(passed: () => void): void {
    this.#fences.push(passed);
    this.write('{"type":"ping"}');
  }

  #open(): void {
    this.#heardAt = undefined;
    this.#fences = [];
    try {
      const link: Link = new Link(this.#ports.socket(), {
        opened: () => { this.#opened(); },
        received: (frame) => { this.#received(frame); },
        garbled: () => { this.#ports.garbled(); },
        ended: (end) => { if (this.#link === link) this.#ended(end); },
      });
      this.#link = link;
    } catch (thrown) {
      this.#stop(thrown instanceof GluerError ? thrown : new GluerError('relay_unavailable', { message: messageOf(thrown), retryable: false }));
      return;
    }
    this.#after(this.#timing.handshake, () => this.#link?.end({ message: 'No welcome came in time.' }));
  }

  #opened(): void {
    this.#heardAt = now();
    this.write(encode(this.#ports.hello()));
    this.#ports.opened();
  }

  #received(frame: Frame): void {
    this.#heardAt = now();
    if (frame.type === 'ping') this.write('{"type":"pong"}');
    else if (frame.type === 'welcome') this.#welcomed(welcomeOf(frame));
    else if (frame.type === 'bye') this.#link?.end({ bye: frame });
    else if (frame.type === 'pong') this.#fences.shift()?.();
    else this.#ports.received(frame);
  }

  #welcomed(welcome: Welcome): void {
    this.state = 'connected';
    this.#welcomedAt = now();
    this.#silence = welcome.ping * 1_000 + this.#timing.grace;
    this.#watch();
    this.#standing.resolve(welcome);
    this.#ports.welcomed(welcome);
  }

  /** Ends a link that nothing was heard from for ping + 8 s (GP-3), and asks after a sleep. */
  #watch(): void {
    const left = this.#silence - now() + (this.#heardAt ?? 0);
    this.#noticing(Math.min(left, this.#timing.watch), (late) => {
      if (late) this.#ask();
      else if (now() - (this.#heardAt ?? 0) < this.#silence) this.#watch();
      else this.#link?.end({ message: 'Nothing was heard from the relay.' });
    });
  }

  /** Asks the relay whether it is still there; only the answer to the latest question counts. */
  #ask(): void {
    const ask = ++this.#asks;
    this.fence(() => { if (ask === this.#asks) this.#watch(); });
    this.#noticing(this.#timing.answer, (late) => {
      if (late) this.#ask();
      else this.#link?.end({ message: 'The relay did not answer.' });
    });
  }

  /** Runs after some ms; `late` says that more time went by than the timer saw. */
  #noticing(ms: number, run: (late: boolean) => void): void {
    const passed = stopwatch();
    this.#after(ms, () => { run(passed() > ms + this.#timing.late); });
  }

  #ended(end: End): void {
    this.#link = undefined;
    const error = reasonOf(end);
    if (!comesBack(end)) {
      this.#stop(error);
      return;
    }
    const standing = this.state === 'connected';
    if (standing) this.#renew();
    const after = Math.min(Number(end.bye?.['after']) || 0, LONGEST_AFTER);
    this.#notBefore = now() + after;
    this.#after(after + backoff(this.#timing.backoff, this.#attempt++), () => { this.#open(); });
    this.#ports.lost(error, standing);
  }

  #renew(): void {
    this.state = 'reconnecting';
    this.#standing = new Standing();
    if (now() - this.#welcomedAt >= this.#timing.stable) this.#attempt = 0;
  }

  #stop(error: GluerError, tell: 'refused' | 'left' = 'refused'): void {
    const standing = this.state === 'connected';
    this.state = 'disconnected';
    clearTimeout(this.#timer);
    this.#standing.reject(error);
    this.#ports[tell](error, standing);
  }

  #after(ms: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, ms);
  }
}

/** The promise of connect(). Nobody has to listen to it: errors have their event. */
class Standing {
  resolve!: (welcome: Welcome) => void;
  reject!: (error: GluerError) => void;
  readonly promise = new Promise<Welcome>((resolve, reject) => Object.assign(this, { resolve, reject }));

  constructor() {
    this.promise.catch(() => undefined);
  }
}

function comesBack({ bye, closeCode }: End): boolean {
  if (bye) return bye['reconnect'] !== false;
  return closeCode === undefined || (CLOSE_CODES[closeCode]?.reconnect ?? true);
}

function reasonOf({ bye, closeCode, message }: End): GluerError {
  if (bye) return errorFrom(bye, 'connection_lost');
  const known = closeCode === undefined ? undefined : CLOSE_CODES[closeCode];
  const sentence = known?.message ?? message ?? `The connection ended (close code ${String(closeCode)}).`;
  return new GluerError(known && known.name in OUTCOMES ? known.name : 'connection_lost', sentence);
}

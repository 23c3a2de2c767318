import { messageOf, mistake } from './errors.ts';
import { now } from './timing.ts';

/** What a listener gets. */
export interface GluerEvent<T> {
  readonly type: string;
  readonly detail: T;
}

/** The connection stands, or has moved to another relay process without a break (GP-6). */
export interface ConnectionDetail {
  /** This socket's id. */
  readonly connection: string;
  /** This client's address across reconnects. */
  readonly session: string;
  /** Whether there was a connection before this one. */
  readonly reconnected: boolean;
  /** How long there was none before it, ms; left out when it was there at once, or has moved. */
  readonly away?: number;
}

/** The connection ended. */
export interface DisconnectDetail {
  readonly code: string;
  readonly message: string;
  /** Whether the SDK is trying again by itself. */
  readonly reconnecting: boolean;
}

/** Something went wrong that is no request's outcome. */
export interface ErrorDetail {
  readonly code: string;
  readonly message: string;
  /** What it is about: a frame's type, a command, channels, a function. */
  readonly about?: unknown;
  /** Milliseconds to wait before trying again. */
  readonly retry_after?: number;
  /** What the refusing side added, such as `{limit, used, resets_at}`. */
  readonly data?: unknown;
  /** What was thrown, where something was. */
  readonly error?: unknown;
}

export interface EventDetails {
  connection: ConnectionDetail;
  disconnect: DisconnectDetail;
  error: ErrorDetail;
}

export type EventName = keyof EventDetails;
const NAMES: readonly string[] = ['connection', 'disconnect', 'error'] satisfies EventName[];
/** May return a promise: its rejection counts as a throw. */
export type Listener<Name extends EventName> = (event: GluerEvent<EventDetails[Name]>) => unknown;

/** Runs code of the program that uses the SDK. What the code throws, at once or by its promise, is an `error` event and stops nothing. */
export type Guard = (what: string, run: () => unknown) => void;

const MOST_PRINTS = 20; // in PRINTS_TIME: others may cause errors as often as they like
const PRINTS_TIME = 60_000; // ms

/** The listeners of a client. An `error` nobody listens to is printed, unless many were just before. */
export class Events {
  readonly #listeners = new Map<EventName, Set<Listener<never>>>();
  #prints = 0;
  #printsEnd = 0;

  add<Name extends EventName>(type: Name, listener: Listener<Name>): void {
    if (!NAMES.includes(type) || typeof listener !== 'function') throw mistake(`addEventListener() takes one of ${NAMES.join(', ')}, and a function.`);
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
  }

  remove<Name extends EventName>(type: Name, listener: Listener<Name>): void {
    this.#listeners.get(type)?.delete(listener);
  }

  emit<Name extends EventName>(type: Name, detail: EventDetails[Name]): void {
    const listeners = [...(this.#listeners.get(type) ?? [])] as unknown as Listener<Name>[];
    if (type === 'error' && !this.hears(type)) this.#print(detail as ErrorDetail);
    for (const listener of listeners) this.guarded(`A listener of '${type}'`, () => listener({ type, detail }), type === 'error');
  }

  /** A Guard. `shown`: what is thrown is printed, since the `error` event itself brought it about. */
  readonly guarded = (what: string, run: () => unknown, shown = false): void => {
    const failed = (error: unknown): void => {
      const detail = { code: 'app_error', message: `${what} failed: ${messageOf(error)}`, error };
      if (shown) this.#print(detail);
      else this.emit('error', detail);
    };
    try {
      const result = run();
      if (result instanceof Object) Promise.resolve(result).catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
  };

  /** Prints that an error is over, where errors are printed. */
  relieve(message: string): void {
    if (!this.hears('error')) this.#write('warn', `gluer: ${message}`);
  }

  /** Whether somebody listens. */
  hears(type: EventName): boolean {
    return (this.#listeners.get(type)?.size ?? 0) > 0;
  }

  #print({ code, message, about, error }: ErrorDetail): void {
    this.#write('error', ...[`gluer: ${code}: ${message}`, about, error].filter((part) => part !== undefined));
  }

  #write(level: 'error' | 'warn', ...parts: unknown[]): void {
    if (now() > this.#printsEnd) {
      this.#prints = 0;
      this.#printsEnd = now() + PRINTS_TIME;
    }
    if (++this.#prints > MOST_PRINTS) return;
    console[level](...parts);
    if (this.#prints === MOST_PRINTS) console.error("gluer: errors are not printed for a minute: listen to 'error'.");
  }
}

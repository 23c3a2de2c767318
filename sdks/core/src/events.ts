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
export type Listener<Name extends EventName> = (event: GluerEvent<EventDetails[Name]>) => void;

/** Runs code of the program that uses the SDK: what it throws is shown, and stops nothing. */
export function guarded(what: string, run: () => void): void {
  try {
    run();
  } catch (thrown) {
    console.error(`gluer: ${what} threw`, thrown);
  }
}

/** The listeners of a client. An `error` nobody listens to is printed. */
export class Events {
  readonly #listeners = new Map<EventName, Set<Listener<never>>>();

  add<Name extends EventName>(type: Name, listener: Listener<Name>): void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
  }

  remove<Name extends EventName>(type: Name, listener: Listener<Name>): void {
    this.#listeners.get(type)?.delete(listener);
  }

  emit<Name extends EventName>(type: Name, detail: EventDetails[Name]): void {
    const listeners = [...(this.#listeners.get(type) ?? [])] as unknown as Listener<Name>[];
    if (type === 'error' && listeners.length === 0) print(detail as ErrorDetail);
    for (const listener of listeners) guarded(`a listener of '${type}'`, () => { listener({ type, detail }); });
  }
}

function print({ code, message, about, error }: ErrorDetail): void {
  const parts = [`gluer: ${code}: ${message}`, about, error].filter((part) => part !== undefined);
  console.error(...parts);
}

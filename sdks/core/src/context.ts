import type { Signal } from './platform.ts';

/** Who called, as the relay says; a caller cannot forge it (GP-18). Of a back end that calls, a front end is told `connection` and `peer`. */
export interface Header {
  /** The caller's address across reconnects: a secret that only back ends are told (GP-5). */
  readonly session?: string;
  readonly connection?: string;
  readonly peer?: 'frontend' | 'backend';
  /** The claims of the caller's verified token. */
  readonly user?: Record<string, unknown>;
  readonly ip?: string;
  readonly origin?: string;
  readonly transport?: 'ws' | 'http';
  readonly connected_at?: string | number;
  readonly [field: string]: unknown;
}

/** What a function gets beside its data. */
export interface Context {
  readonly header: Header;
  /** Fires when nobody waits for the answer any more: cancelled, past its deadline, caller or connection gone (GP-14). */
  readonly signal: Signal;
  /** Set it to name the reply, as in `context.outcome = 'users.created'`; the caller gets it beside the data. */
  outcome?: string;
  /** Reports to the caller before the answer; any number, in order. After the answer, and for a send, it does nothing. */
  readonly progress: (data: unknown) => void;
}

/** A function that others call by name. What it returns is the answer; what it throws is the caller's error. */
export type Handler = (data: any, context: Context) => unknown; // eslint-disable-line @typescript-eslint/no-explicit-any -- the function's own type, which only the program knows

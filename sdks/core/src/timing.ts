import { BACKEND_BACKOFF, FRONTEND_BACKOFF, type Backoff } from './backoff.ts';
import type { Kind } from './keys.ts';

/** The connection's times, ms. No public option: the protocol sets them, and tests shorten them. */
export interface Timing {
  readonly backoff: Backoff;
  /** From opening the socket to the welcome: as long as the relay waits for a hello (GP-2). */
  readonly handshake: number;
  /** Silence beyond the relay's ping before the connection counts as dead (GP-3). */
  readonly grace: number;
  /** A connection that stood so long was good: the next back-off starts from its beginning. */
  readonly stable: number;
  /** A silence noticed so late says that this program was held up: it reads its sockets first, then judges. */
  readonly late: number;
}

/** The times of the protocol, for a kind of peer. */
export function timingOf(kind: Kind): Timing {
  const range = kind === 'frontend' ? FRONTEND_BACKOFF : BACKEND_BACKOFF;
  return { backoff: range, handshake: 10_000, grace: 8_000, stable: 5_000, late: 500 };
}

/** Now, ms, by a clock that never jumps. */
export function now(): number {
  return performance.now();
}

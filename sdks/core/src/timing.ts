import type { Backoff } from './backoff.ts';
import type { Kind } from './keys.ts';

/** The connection's times, ms. No public option: the protocol sets them, and tests shorten them. */
export interface Timing {
  readonly backoff: Backoff;
  /** From opening the socket to the welcome (GP-3). */
  readonly handshake: number;
  /** Silence beyond the relay's ping before the connection counts as dead (GP-3). */
  readonly grace: number;
  /** A connection that stood so long has held: the outage before it is over, and the next back-off begins anew. */
  readonly stable: number;
  /** Between two looks after a connection that stands. */
  readonly watch: number;
  /** A timer so late says that this computer slept, or that this program was held up. */
  readonly late: number;
  /** Silence while something is expected of the relay, before it is asked whether it is still there. */
  readonly quiet: number;
  /** For the relay's answer when it is asked. */
  readonly answer: number;
}

/** The times of the protocol, for a kind of peer. */
export function timingOf({ backoff }: Kind): Timing {
  return { backoff, handshake: 5_000, grace: 8_000, stable: 5_000, watch: 3_000, late: 2_000, quiet: 3_000, answer: 5_000 };
}

/** Now, ms, by a clock that never jumps. */
export function now(): number {
  return performance.now();
}

/** Gives the ms since its start, by the clock that went further: a steady one may stand still while the computer sleeps. */
export function stopwatch(): () => number {
  const [wall, steady] = [Date.now(), now()];
  return () => Math.max(Date.now() - wall, now() - steady);
}

/** What bounds the waits before reconnecting, ms (GP-3). */
export interface Backoff {
  /** The longest wait while the outage is short. */
  readonly first: number;
  /** The longest wait of all. */
  readonly most: number;
}

export const FRONTEND_BACKOFF: Backoff = { first: 2_000, most: 30_000 };
export const BACKEND_BACKOFF: Backoff = { first: 1_000, most: 3_000 };

/**
 * The wait before the next attempt, ms: random between 0 and a ceiling (full jitter), which is half of the outage so far,
 * at least `first` and at most `most`. So a client is back soon after a short outage, and a crowd that lost one relay
 * asks ever more rarely: of 50,000 pages 50,000 attempts a second come in the first 4 s, 20,000 after 10 s, 3,300 after 60 s.
 */
export function backoff({ first, most }: Backoff, outage: number, random: () => number = Math.random): number {
  return random() * Math.min(most, Math.max(first, outage / 2));
}

/** The range of the waits before reconnecting, ms (GP-3). */
export interface Backoff {
  readonly least: number;
  readonly most: number;
}

export const FRONTEND_BACKOFF: Backoff = { least: 500, most: 30_000 };
export const BACKEND_BACKOFF: Backoff = { least: 200, most: 3_000 };

/**
 * The wait before attempt 0, 1, 2 …, ms: anywhere between the least and a ceiling that doubles up to the most.
 * The jitter takes the whole range, so that clients which lost the same relay do not come back together.
 */
export function backoff({ least, most }: Backoff, attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(most, least * 2 ** Math.min(attempt + 1, 30));
  return least + random() * (ceiling - least);
}

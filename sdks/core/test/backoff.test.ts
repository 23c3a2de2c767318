import { expect, test } from 'vitest';
import { BACKEND_BACKOFF, backoff, FRONTEND_BACKOFF } from '../src/backoff.ts';

const ATTEMPTS = Array.from({ length: 2_000 }, (_, attempt) => attempt);

test.each([
  ['front end', FRONTEND_BACKOFF, 500, 30_000],
  ['back end', BACKEND_BACKOFF, 200, 3_000],
])('a %s never waits less or more than its range', (_kind, range, least, most) => {
  for (const attempt of ATTEMPTS) {
    expect(backoff(range, attempt)).toBeGreaterThanOrEqual(least);
    expect(backoff(range, attempt)).toBeLessThanOrEqual(most);
  }
});

test('the ceiling doubles until it is the most', () => {
  const ceilings = [0, 1, 2, 3, 4, 5, 6].map((attempt) => backoff(FRONTEND_BACKOFF, attempt, () => 1));
  expect(ceilings).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test('the jitter takes the whole range', () => {
  expect(backoff(FRONTEND_BACKOFF, 9, () => 0)).toBe(500);
  expect(backoff(FRONTEND_BACKOFF, 9, () => 0.5)).toBe(15_250);
});

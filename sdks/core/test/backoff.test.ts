import { expect, test } from 'vitest';
import { BACKEND_BACKOFF, backoff, FRONTEND_BACKOFF } from '../src/backoff.ts';

const CROWD = 2_000; // pages: each stands for 25 of 50,000
const SECOND = 1_000; // ms

/** Numbers from 0 to 1, the same in each run (a generator of Lehmer's, with the multiplier 48271). */
function randomNumbers(): () => number {
  let state = 1;
  return () => (state = (state * 48_271) % 0x7fffffff) / 0x7fffffff;
}

/** When a page that lost the relay at 0 tries again, ms, until it has tried after the end. */
function attempts(random: () => number, end: number): number[] {
  const times = [backoff(FRONTEND_BACKOFF, 0, random)];
  while (times.at(-1)! <= end) times.push(times.at(-1)! + backoff(FRONTEND_BACKOFF, times.at(-1)!, random));
  return times;
}

test.each([
  ['front end', FRONTEND_BACKOFF, [2_000, 2_000, 5_000, 30_000, 30_000]],
  ['back end', BACKEND_BACKOFF, [1_000, 2_000, 3_000, 3_000, 3_000]],
])('a %s waits at most half of the outage, within its bounds', (_kind, range, longest) => {
  expect([0, 4_000, 10_000, 60_000, 86_400_000].map((outage) => backoff(range, outage, () => 1))).toEqual(longest);
});

test('the jitter takes the whole range', () => {
  expect(backoff(FRONTEND_BACKOFF, 60_000, () => 0)).toBe(0);
  expect(backoff(FRONTEND_BACKOFF, 60_000, () => 0.5)).toBe(15_000);
});

test('whoever lost a relay for 3.5 s is back within 2 s of its return', () => {
  const random = randomNumbers();
  for (let n = 0; n < CROWD; n++) expect(attempts(random, 3_500).at(-1)).toBeLessThanOrEqual(5_500);
});

test.each([
  [[0, 4], 1.4], // the crowd's mean is 1 attempt a second; it bunches up a little at 2 s
  [[10, 11], 0.5],
  [[60, 61], 0.09],
  [[300, 301], 0.09],
])('in the seconds %j of an outage a page makes at most %d attempts a second', ([from = 0, to = 0], most) => {
  const random = randomNumbers();
  const seen = Array.from({ length: to - from }, () => 0);
  for (let n = 0; n < CROWD; n++)
    for (const at of attempts(random, to * SECOND)) {
      const second = Math.floor(at / SECOND) - from;
      if (second >= 0 && second < seen.length) seen[second]!++;
    }
  expect(Math.max(...seen) / CROWD).toBeLessThanOrEqual(most);
});

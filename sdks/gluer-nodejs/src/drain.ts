import { mistake } from '../../core/src/errors.ts';

/** How a back end leaves. */
export interface DisconnectOptions {
  /** Whether calls in flight are finished first; default: true. */
  drain?: boolean | undefined;
  /** The longest that they are waited for, ms; default: 20 000. */
  timeout?: number | undefined;
}

/** The steps of a drain. */
export interface DrainPorts {
  /** Asks the relay for no new calls; resolves, or rejects, when it has answered or had the time to. */
  ask(longest: number): Promise<unknown>;
  /** Resolves when all calls are answered. */
  idle(): Promise<unknown>;
  /** Resolves when the relay has read the answers. */
  fence(): Promise<void>;
}

const DRAIN_TIME = 20_000; // ms
const LONGEST_DRAIN = 2 ** 31 - 1; // ms; timers overflow above it
const LONGEST_ASK = 5_000; // ms; a relay answers at once, or is not there

/** Lets a back end leave without losing a call (GP-59): no new ones come, those in flight finish. */
export class Drain {
  /** Resolves when nothing is left to wait for, the time is over, or cut() was called. */
  readonly done: Promise<void>;
  /** Waits no longer. */
  cut!: () => void;

  constructor(ports: DrainPorts, timeout: number) {
    const ended = new Promise<void>((resolve) => { this.cut = resolve; });
    const timer = setTimeout(this.cut, timeout);
    this.done = Promise.race([ended, steps(ports, timeout)]).finally(() => { clearTimeout(timer); });
  }
}

async function steps(ports: DrainPorts, timeout: number): Promise<void> {
  const there = await ports.ask(Math.min(timeout, LONGEST_ASK)).then(() => true, () => false);
  await ports.idle();
  if (there) await ports.fence();
}

/** The time that a drain may take; raises `invalid_arguments` for what is none. */
export function drainTime(timeout: unknown = DRAIN_TIME): number {
  if (typeof timeout !== 'number' || !(timeout >= 1)) throw mistake("disconnect()'s timeout is a number of milliseconds, at least 1.");
  return Math.min(timeout, LONGEST_DRAIN);
}

import { backoff, type Backoff } from './backoff.ts';
import type { GluerError } from './errors.ts';
import type { Frame } from './frames.ts';
import { now } from './timing.ts';

/** How a roster's names reach the relay. */
export interface RosterPorts {
  /** Whether frames may be written: the hello is. */
  readonly open: boolean;
  tell(head: Frame): Promise<unknown>;
  /** The relay did not take these names. */
  failed(error: GluerError, head: Frame): void;
}

const BATCH = 200; // names in one frame: below its limit of bytes, whatever is said of them
const MOST_NAMES = 2_000; // with two rosters 20 frames behind a hello, of the 64 that the relay takes
const RETRY: Backoff = { first: 2_000, most: 30_000 }; // ms before names are offered again that the relay could not take just now

/**
 * Names that the relay is to know while this client is connected: its channels, or its functions.
 * Changes of one turn leave in one frame; after a reconnect all names leave again, right behind the hello.
 */
export class Roster {
  readonly #ports: RosterPorts;
  readonly #adding: (names: string[]) => Frame;
  readonly #removing: (names: string[]) => Frame;
  readonly #names = new Set<string>();
  readonly #fresh = new Set<string>(); // to be told
  readonly #stale = new Set<string>(); // to be taken back
  #scheduled = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #failingSince: number | undefined;

  constructor(ports: RosterPorts, adding: (names: string[]) => Frame, removing: (names: string[]) => Frame) {
    this.#ports = ports;
    this.#adding = adding;
    this.#removing = removing;
  }

  /** Whether the roster has no room for one more name. */
  get full(): boolean {
    return this.#names.size >= MOST_NAMES;
  }

  /** `anew`: what the relay has to know of the name has changed. */
  add(name: string, anew = false): void {
    if (this.#names.has(name) && !anew) return;
    this.#names.add(name);
    if (!this.#stale.delete(name) || anew) this.#fresh.add(name);
    this.#schedule();
  }

  remove(name: string): void {
    this.#names.delete(name);
    if (!this.#fresh.delete(name)) this.#stale.add(name);
    this.#schedule();
  }

  /** Tells the relay what is new now. Whoever writes a request calls it first, so that order is kept. */
  flush(): void {
    if (!this.#ports.open) return;
    for (const names of batches(this.#stale)) this.#tell(this.#removing(names), []);
    for (const names of batches(this.#fresh)) this.#tell(this.#adding(names), names);
  }

  /** A new connection: it knows nothing yet. */
  restart(): void {
    this.pause();
    this.#failingSince = undefined;
    this.#stale.clear();
    for (const name of this.#names) this.#fresh.add(name);
    this.flush();
  }

  /** No connection: nothing to try again. */
  pause(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  #tell(head: Frame, names: string[]): void {
    this.#ports.tell(head).then(() => { this.#failingSince = undefined; }, (error: unknown) => { this.#failed(error as GluerError, head, names); });
  }

  #failed(error: GluerError, head: Frame, names: string[]): void {
    if (error.code === 'connection_lost' || !this.#ports.open) return; // the next connection is told all names
    this.#ports.failed(error, head);
    if (!error.retryable) return;
    for (const name of names) if (this.#names.has(name)) this.#fresh.add(name);
    this.#failingSince ??= now();
    this.#retry ??= setTimeout(() => { this.pause(); this.flush(); }, (error.retry_after ?? 0) + backoff(RETRY, now() - this.#failingSince));
  }
}

/** The names in lists of at most BATCH; leaves the set empty. */
function batches(names: Set<string>): string[][] {
  const all = [...names];
  names.clear();
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, index) => all.slice(index * BATCH, (index + 1) * BATCH));
}

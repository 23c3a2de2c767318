// Runs the scenarios of protocol/vectors for one peer of an SDK: this side plays the relay.
import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { Context, Handler } from '../src/context.ts';
import { FakeRelay, PRIVATE_KEY, PUBLIC_KEY, until, type Fields, type Guest } from './fake_relay.ts';

export interface Step {
  peer: string;
  do?: [string, ...unknown[]];
  sends?: Fields;
  receives?: Fields;
  closes?: { code: number };
  leaves?: true;
  then?: { resolves?: unknown; rejects?: Fields; event?: [string, ...unknown[]] };
}

export interface Scenario {
  name: string;
  clauses: string[];
  peers: Record<string, 'frontend' | 'backend'>;
  handshake?: boolean;
  raw?: boolean;
  steps: Step[];
}

/** What an SDK's test gives the runner. */
export interface Driver {
  /** Performs a method; a promise is what the call's outcome will be. */
  perform(method: string, args: unknown[]): unknown;
  /** What the SDK's user has seen so far. */
  readonly events: unknown[][];
  disconnect(): void;
}

/** A function that does what the vector says, and notes what befalls it. */
export function handlerOf(events: unknown[][], cmd: string, does: Fields): Handler {
  return (data: unknown, context: Context): unknown => {
    events.push(['called', cmd, data]);
    context.signal.addEventListener('abort', () => events.push(['aborted', cmd]));
    for (const each of (does['progress'] ?? []) as unknown[]) context.progress(each);
    if (does['throws']) throw Object.assign(new Error(), does['throws']);
    if (does['waits']) return new Promise(() => undefined);
    if (does['outcome']) context.outcome = does['outcome'] as string;
    return does['returns'];
  };
}

const FOLDER = new URL('../../../protocol/vectors/', import.meta.url);

/** Every scenario that an SDK of this kind can run, once for each of its peers of that kind: [title, scenario, peer]. */
export function scenarios(kind: 'frontend' | 'backend'): [string, Scenario, string][] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json')).sort();
  const all = files.flatMap((name) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Scenario[]);
  return all.filter(({ raw }) => !raw).flatMap((scenario) =>
    Object.entries(scenario.peers)
      .filter(([, each]) => each === kind)
      .map(([peer]): [string, Scenario, string] => [`${scenario.name} (${peer})`, scenario, peer]));
}

/** Plays the scenario; rejects where the SDK does something else. */
export async function play(scenario: Scenario, peer: string, start: (relay: FakeRelay) => Driver): Promise<void> {
  const relay = await FakeRelay.start();
  const driver = start(relay);
  try {
    const run = new Run(relay, driver);
    if (!scenario.handshake) await run.connect(scenario.peers[peer] === 'backend' ? PRIVATE_KEY : PUBLIC_KEY);
    for (const step of scenario.steps) if (step.peer === peer) await run.step(step);
    run.checkSilence();
  } finally {
    driver.disconnect();
    await relay.stop();
  }
}

class Run {
  readonly #relay: FakeRelay;
  readonly #driver: Driver;
  readonly #values = new Map<string, unknown>([['$public_key', PUBLIC_KEY], ['$private_key', PRIVATE_KEY]]);
  readonly #promises = new Map<unknown, Promise<unknown>>();
  #connecting: Promise<unknown> | undefined;
  #guest: Guest | undefined;

  constructor(relay: FakeRelay, driver: Driver) {
    this.#relay = relay;
    this.#driver = driver;
  }

  async connect(key: string): Promise<void> {
    const standing = this.#driver.perform('connect', [key]);
    this.#guest = await this.#relay.welcomes();
    await standing;
  }

  async step({ do: performed, sends, receives, closes, leaves, then }: Step): Promise<void> {
    const outcome = performed && this.#perform(performed, sends);
    if (sends) {
      this.#guest ??= await this.#relay.meets();
      const frame = await this.#guest.receives();
      this.#match(sends, frame);
      if (outcome instanceof Promise) this.#promises.set(frame['id'], outcome);
    }
    if (receives) this.#guest!.sends(this.#filled(receives) as Fields);
    if (closes) this.#guest!.closes(closes.code);
    if (leaves) await until('the end of the connection', () => this.#guest?.closed !== undefined);
    if (then) await this.#check(then, receives);
  }

  checkSilence(): void {
    expect(this.#guest?.unread ?? 0).toBe(0);
  }

  #perform([method, ...args]: [string, ...unknown[]], sends: Fields | undefined): unknown {
    const filled = method === 'connect' && args.length === 0 ? [this.#values.get(String(sends?.['key']))] : (this.#filled(args) as unknown[]);
    const outcome = this.#driver.perform(method, filled);
    if (outcome instanceof Promise) outcome.catch(() => undefined);
    if (method === 'connect') this.#connecting = outcome as Promise<unknown>;
    return outcome;
  }

  async #check({ resolves, rejects, event }: NonNullable<Step['then']>, receives: Fields | undefined): Promise<void> {
    const promise = this.#promises.get((this.#filled(receives ?? {}) as Fields)['id']) ?? this.#connecting;
    if (resolves !== undefined) expect(await promise).toMatchObject(this.#filled(resolves) as Fields);
    if (rejects) await expect(promise).rejects.toMatchObject(rejects);
    if (event) await until(`the event ${JSON.stringify(event)}`, () => this.#driver.events.some((seen) => alike(event, seen)));
  }

  #match(expected: Fields, frame: Fields): void {
    for (const [field, value] of Object.entries(expected)) {
      this.#learn(value, frame[field]);
      expect(this.#known(value, frame[field]), `the field ${field} of ${JSON.stringify(frame)}`).toEqual(frame[field]);
    }
  }

  /** Binds the variables of the value, at any depth. */
  #learn(value: unknown, seen: unknown): void {
    if (isVariable(value)) this.#bind(value, seen);
    else if (typeof value === 'object' && value !== null)
      for (const [field, each] of Object.entries(value)) this.#learn(each, (seen as Fields | undefined)?.[field]);
  }

  /** The value with what its variables stand for; `$any` stands for what was seen. */
  #known(value: unknown, seen: unknown): unknown {
    if (isVariable(value)) return value === '$any' ? seen : this.#values.get(value);
    if (Array.isArray(value)) return value.map((each, index) => this.#known(each, (seen as unknown[] | undefined)?.[index]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([field, each]) => [field, this.#known(each, (seen as Fields | undefined)?.[field])]));
  }

  #bind(variable: string, value: unknown): void {
    expect(value, variable).toBeDefined();
    if (variable === '$any') return;
    if (this.#values.has(variable)) expect(value, variable).toEqual(this.#values.get(variable));
    else this.#values.set(variable, value);
  }

  /** The value with what its variables stand for, at any depth; something fresh where they stand for nothing yet. */
  #filled(value: unknown, field = 'value'): unknown {
    if (isVariable(value)) return this.#value(field, value);
    if (Array.isArray(value)) return value.map((each) => this.#filled(each));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#filled(each, name)]));
  }

  #value(field: string, variable: string): unknown {
    const fresh = FRESH[field] ?? `fresh-${field}-${String(this.#values.size)}-0123456789`;
    if (variable === '$any') return fresh;
    if (!this.#values.has(variable)) this.#values.set(variable, fresh);
    return this.#values.get(variable);
  }
}

function isVariable(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('$');
}

const FRESH: Fields = { timeout: 30_000, header: {}, limits: { frame: 1_048_576, timeout: 300_000, in_flight: 1_000, rate: 1_000 } };

/** Whether what was seen is what is expected; of objects the listed fields count. */
function alike(expected: unknown[], seen: unknown[]): boolean {
  return expected.every((value, index) => {
    const other = seen[index];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return isDeepStrictEqual(value, other);
    return Object.entries(value).every(([field, each]) => isDeepStrictEqual(each, (other as Fields | undefined)?.[field]));
  });
}

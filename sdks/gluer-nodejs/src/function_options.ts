import { mistake } from '../../core/src/errors.ts';
import { isRecord } from '../../core/src/frames.ts';
import { checkName } from '../../core/src/names.ts';

const POLICIES = ['least_in_flight', 'round_robin', 'random', 'first'] as const;

/** What the relay is told of a function. Of several servers with the same function the latest one's word holds, except `concurrency`. */
export interface FunctionOptions {
  /** It may run twice without harm: the relay runs a call again elsewhere when its server is lost (GP-11). Default: false. */
  idempotent?: boolean | undefined;
  /** Which server gets the next call (GP-15). Default: `least_in_flight`. */
  policy?: (typeof POLICIES)[number] | undefined;
  /** Calls of it that this server runs at once; more wait at the relay. Default: any number. */
  concurrency?: number | undefined;
  /** What it does, in at most 1 024 characters, for people. */
  description?: string | undefined;
}

/** The options of several functions, by their names. */
export type OptionsByName = Readonly<Record<string, FunctionOptions>>;

const LONGEST_DESCRIPTION = 1_024;
const MOST_AT_ONCE = 1_000_000;

const CHECKS: Record<keyof FunctionOptions, (value: unknown) => boolean> = {
  idempotent: (value) => typeof value === 'boolean',
  policy: (value) => POLICIES.includes(value as 'first'),
  concurrency: (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_AT_ONCE,
  description: (value) => Boolean(checkName('description', value, LONGEST_DESCRIPTION)),
};
const WANTED = `{idempotent: true or false, policy: ${POLICIES.map((policy) => `'${policy}'`).join(' or ')}, concurrency: a whole number from 1, description: a string}`;

/** The options that are set. Raises `invalid_arguments` for unknown ones and wrong values. */
export function checkOptions(name: string, options: unknown = {}): FunctionOptions {
  if (!isRecord(options)) throw mistake(`The options of '${name}' are ${WANTED}.`);
  const set = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [option, value] of set)
    if (!Object.hasOwn(CHECKS, option) || !CHECKS[option as 'policy'](value)) throw mistake(`The option ${option} of '${name}' is wrong; options are ${WANTED}.`);
  return Object.fromEntries(set);
}

/** Options by function name. Raises `invalid_arguments` for a name that is none of the functions. */
export function checkOptionsByName(functions: readonly string[], options: unknown = {}): OptionsByName {
  if (!isRecord(options)) throw mistake('Options of several functions are an object: {function name: options}.');
  for (const name of Object.keys(options)) if (!functions.includes(name)) throw mistake(`There are options for '${name}', which is no function here.`);
  return Object.fromEntries(Object.entries(options).map(([name, each]) => [name, checkOptions(name, each)]));
}

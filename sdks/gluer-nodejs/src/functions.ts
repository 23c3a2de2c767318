import type { Handler } from '../../core/src/context.ts';
import { GluerError, mistake } from '../../core/src/errors.ts';
import { checkName } from '../../core/src/names.ts';
import type { Roster } from '../../core/src/roster.ts';
import { checkOptions, checkOptionsByName, type FunctionOptions, type OptionsByName } from './function_options.ts';
import { methodsOf } from './methods.ts';

interface Registration {
  readonly handler: Handler;
  readonly options: FunctionOptions;
}

/** The functions of this back end, by name. */
export class Functions {
  readonly #roster: Roster;
  readonly #registrations = new Map<string, Registration>();

  /** The roster is to be told of names; for its frames it asks describe(). */
  constructor(roster: (describe: (name: string) => object) => Roster) {
    this.#roster = roster((name) => ({ name, ...this.#registrations.get(name)?.options }));
  }

  get(cmd: string): Handler | undefined {
    return this.#registrations.get(cmd)?.handler;
  }

  /** Registers `plugin:name`; a second one of the same name takes the first one's place. */
  add(plugin: string, name: string, handler: Handler, options?: FunctionOptions): string {
    if (typeof handler !== 'function') throw mistake(`register_plugin('${plugin}', '${name}', fn) needs a function.`);
    const full = checkName('function name', `${checkPlugin(plugin)}:${checkName('function name', name)}`);
    const registration = { handler, options: checkOptions(full, options) };
    const before = this.#registrations.get(full);
    if (!before && this.#roster.full) throw new GluerError('rate_limited', 'Too many functions for one back end: split it in two.');
    this.#registrations.set(full, registration);
    this.#roster.add(full, before && !alike(before.options, registration.options));
    return full;
  }

  /** Registers the object's own methods and those of the program's classes; names that begin with an underscore are private. */
  addObject(plugin: string, object: object, options?: OptionsByName): string[] {
    if (typeof object !== 'object' || (object as unknown) === null) throw mistake(`register_object('${plugin}', obj) needs an object with methods.`);
    const methods = methodsOf(object);
    if (methods.length === 0) throw mistake(`The object for the plugin '${plugin}' has no methods to register.`);
    const byName = checkOptionsByName(methods.map(([name]) => name), options);
    return methods.map(([name, method]) => this.add(plugin, name, method, byName[name]));
  }
}

/** The plugin's name: what stands before the first colon of a function's. */
export function checkPlugin(plugin: unknown): string {
  const name = checkName('plugin name', plugin);
  if (name.includes(':')) throw mistake(`The plugin name '${name}' holds a colon: it separates plugin and function.`);
  return name;
}

function alike(one: FunctionOptions, other: FunctionOptions): boolean {
  const [ones, others] = [Object.entries(one), Object.keys(other)];
  return ones.length === others.length && ones.every(([option, value]) => other[option as 'policy'] === value);
}

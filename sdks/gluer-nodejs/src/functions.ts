import { GluerError, mistake } from '../../core/src/errors.ts';
import { checkName } from '../../core/src/names.ts';
import type { Roster } from '../../core/src/roster.ts';
import type { Handler } from './context.ts';

/** The functions of this back end, by name. */
export class Functions {
  readonly #roster: Roster;
  readonly #handlers = new Map<string, Handler>();

  constructor(roster: Roster) {
    this.#roster = roster;
  }

  get(cmd: string): Handler | undefined {
    return this.#handlers.get(cmd);
  }

  /** Registers `plugin:name`; a second one of the same name takes the first one's place. */
  add(plugin: string, name: string, handler: Handler): string {
    if (typeof handler !== 'function') throw mistake(`register_plugin('${plugin}', '${name}', fn) needs a function.`);
    const full = checkName('function name', `${checkPlugin(plugin)}:${checkName('function name', name)}`);
    if (!this.#handlers.has(full) && this.#roster.full) throw new GluerError('rate_limited', 'Too many functions for one back end: split it in two.');
    this.#handlers.set(full, handler);
    this.#roster.add(full);
    return full;
  }

  /** Registers the object's methods, its class's too; names that begin with an underscore are private. */
  addObject(plugin: string, object: object): string[] {
    if (typeof object !== 'object' || (object as unknown) === null) throw mistake(`register_object('${plugin}', obj) needs an object with methods.`);
    const methods = methodsOf(object);
    if (methods.length === 0) throw mistake(`The object for the plugin '${plugin}' has no methods to register.`);
    return methods.map(([name, method]) => this.add(plugin, name, method.bind(object)));
  }
}

/** The plugin's name: what stands before the first colon of a function's. */
export function checkPlugin(plugin: unknown): string {
  const name = checkName('plugin name', plugin);
  if (name.includes(':')) throw mistake(`The plugin name '${name}' holds a colon: it separates plugin and function.`);
  return name;
}

function methodsOf(object: object): [string, Handler][] {
  const names = new Set<string>();
  for (let each = object; each !== Object.prototype && (each as object | null) !== null; each = Object.getPrototypeOf(each) as object)
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(each)))
      if (typeof value === 'function' && name !== 'constructor' && !name.startsWith('_')) names.add(name);
  return [...names].map((name) => [name, Reflect.get(object, name) as Handler]);
}

// Which methods of an object are the program's own: those of the object itself, and of the classes that the program made.
// The prototype chain is followed up to the first built-in class, of the language or of Node: what such a class brings
// along (an EventEmitter's removeAllListeners) is nothing to be called from a page.
import { createRequire } from 'node:module';
import type { Handler } from '../../core/src/context.ts';

/** Node's modules that have classes to extend. `repl` and `domain` are none of them: loading these changes the process. */
const MODULES = [
  'async_hooks', 'buffer', 'child_process', 'cluster', 'console', 'crypto', 'dgram', 'diagnostics_channel', 'dns', 'events', 'fs', 'fs/promises',
  'http', 'http2', 'https', 'inspector', 'net', 'perf_hooks', 'readline', 'readline/promises', 'stream', 'stream/web', 'string_decoder', 'tls', 'tty',
  'url', 'util', 'vm', 'worker_threads', 'zlib',
];
/** Classes that Node offers by these names only. */
const GLOBALS = ['AbortController', 'AbortSignal', 'Event', 'EventSource', 'EventTarget', 'FormData', 'Headers', 'Request', 'Response', 'WebSocket'];

let known: Set<object> | undefined;

/** The object's methods by name, bound to it. Names that begin with an underscore are private; no getter is run. */
export function methodsOf(object: object): [string, Handler][] {
  const found = new Map<string, unknown>();
  for (let each: object | null = object; each && !(each !== object && isBuiltIn(each)); each = Object.getPrototypeOf(each) as object | null)
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(each)))
      if (!found.has(name)) found.set(name, value); // the nearest one hides the others, a getter too
  const isMethod = (entry: [string, unknown]): entry is [string, Handler] =>
    typeof entry[1] === 'function' && entry[0] !== 'constructor' && !entry[0].startsWith('_') && !builtIns().has(entry[1]);
  return [...found].filter(isMethod).map(([name, method]) => [name, method.bind(object)]);
}

function isBuiltIn(prototype: object): boolean {
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  return builtIns().has(prototype) || (typeof maker === 'function' && Function.prototype.toString.call(maker).includes('[native code]'));
}

/** The prototypes of Node's classes, which are written in JavaScript as the program's are, and their methods. */
function builtIns(): Set<object> {
  if (known) return known;
  const load = createRequire(process.execPath) as (name: string) => object;
  const exported = MODULES.flatMap((name) => [load(`node:${name}`), ...valuesOf(load(`node:${name}`))]);
  const classes = [...exported, ...GLOBALS.map((name) => Object.getOwnPropertyDescriptor(globalThis, name)?.value as unknown)];
  known = new Set();
  for (const each of classes) if (typeof each === 'function') addAll(known, (each as { prototype?: object }).prototype);
  return known;
}

function addAll(to: Set<object>, prototype: object | null | undefined): void {
  for (let each = prototype; each && each !== Object.prototype; each = Object.getPrototypeOf(each) as object | null) {
    to.add(each);
    for (const value of valuesOf(each)) if (typeof value === 'function') to.add(value);
  }
}

/** The values of the object's own fields; getters are not run. */
function valuesOf(object: object): unknown[] {
  return Object.values(Object.getOwnPropertyDescriptors(object)).map(({ value }) => value as unknown);
}
